"""What is made once for a shape of input, and run for every batch."""
