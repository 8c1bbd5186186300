"""How good an explanation is: localisation against a known truth, random-weight copies."""
