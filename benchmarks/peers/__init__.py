"""Other projects as interpreters, for `livedub eval --dubs`; see `interpreter.py`."""
