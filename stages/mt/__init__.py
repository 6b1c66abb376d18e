"""Machine translation: the engines, and what makes the most of them."""
