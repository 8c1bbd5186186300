"""What figures and sections of reports are made of, without knowing what they show."""
