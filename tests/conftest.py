"""Media that the tests share."""

import pytest

from benchmarks.demo_clip import Clip, Line, make_clip

SHORT = (
    Line("Good morning, and welcome to the river ferry.", 0.9),
    Line("Please keep your bags with you.", 1.1),
    Line("Thank you for travelling with us.", 1.0),
)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Three spoken sentences under a test picture."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", script=SHORT, size="160x90")
