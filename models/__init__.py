"""What is known of each EEG model: cards, and the small trained demo models."""
