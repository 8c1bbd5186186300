"""From a file to windows in a model's layout."""
