"""Media in containers: reading, repairing and writing them."""
