"""``livedub eval``: how good a dub is, in the figures that the field uses."""
