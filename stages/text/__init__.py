"""Written text: its sentences, clauses and function words."""
