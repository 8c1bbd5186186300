"""Reading text that nobody has vouched for, and having an output to oneself."""
