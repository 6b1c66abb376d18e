from pathlib import Path

import pytest

from tests.helpers.streams import (
    small_source,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s, a keyframe every second, B-frames."""
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4")
