"""How many examples of a property are tried."""

from hypothesis import settings


def examples(share: float) -> settings:
    """That share of the profile's number, for a property whose examples take long."""
    return settings(max_examples=max(1, round(share * settings.default.max_examples)))
