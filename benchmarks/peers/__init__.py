"""Other projects used as interpreters, for `livedub eval --dubs`; see `interpreter.py`."""
