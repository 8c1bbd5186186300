"""Recordings, windows, views, figures and reports: relevance in the coordinates of EEG."""
