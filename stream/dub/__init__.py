"""The dub: from an utterance to speech in its slot."""
