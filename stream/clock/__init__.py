"""Media time against wall time: pacing, the playout clock and the delay."""
