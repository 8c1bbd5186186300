"""What an explanation costs, as ratios to the plain forward pass; `make bench` runs all of it."""
