"""What is known of each EEG model: cards, and the small trained demo models."""

from .card import Card, card, cards
from .paths import demo_file

__all__ = ["Card", "card", "cards", "demo_file"]
