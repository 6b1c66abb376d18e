"""What files and streams say of their dubs, for programs to find."""

SYNTHETIC = "Dubbed by livedub: the speech of the dub is synthetic"
"""In the words that stand in containers, under ``comment``, and in HLS."""
