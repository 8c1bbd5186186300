"""Where electrodes are: names, positions, regions."""
