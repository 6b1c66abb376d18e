"""Models for all sessions: their options, one copy of each, and fair turns at it."""
