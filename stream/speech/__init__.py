"""From speech probabilities to utterances."""
