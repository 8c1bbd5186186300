"""What is written for people: reports as HTML pages, and their figures."""
