"""How values show themselves in a console and in a notebook, and what is told while something runs."""
