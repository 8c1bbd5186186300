"""What eyes, heart, muscle and mains have in a signal."""
