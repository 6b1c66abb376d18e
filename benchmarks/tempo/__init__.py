"""Methods that change the tempo of speech, compared."""
