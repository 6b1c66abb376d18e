"""Models behind small protocols: voice activity, recognition, translation, synthesis."""
