"""Publishers whose sound began more than a second after the picture were thrown out for ever; they
must be shown at once, be silent at first, and be heard in sync when the sound comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.media.source import MediaSource
from tests.field.test_01_streams_that_come import later
from tests.helpers.made_sources import AUDIO, Tag, beeping, flv_tags, read
from tests.helpers.rtmp_publisher import publish
from tests.helpers.streams import ffmpeg


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> list[Tag]:
    return flv_tags(beeping(tmp_path_factory.mktemp("flv") / "a.flv", length=4))


@pytest.mark.parametrize("ms", [500, 1500, 3500])
async def test_sound_that_begins_later_is_heard_in_sync(tags: list[Tag], ms: int) -> None:
    heard = await publish(later(tags, AUDIO, ms))
    assert len(heard.pictures) == 100
    assert heard.shown[0] == pytest.approx(0, abs=0.05)
    assert heard.beeps == pytest.approx([n for n in range(4) if n * 1000 >= ms], abs=0.06)
    assert heard.length == pytest.approx(4 if ms < 3900 else 0, abs=0.1)


async def test_a_publisher_without_any_sound_is_shown(tags: list[Tag]) -> None:
    heard = await publish(tag for tag in tags if tag.kind != AUDIO)
    assert len(heard.pictures) == 100
    assert heard.length == 0


def test_a_pulled_source_may_be_silent_at_first(tmp_path: Path) -> None:
    """Its sound is announced and does not come, as of apps that send none while it is quiet."""
    path = beeping(tmp_path / "a.ts", length=4)
    cut = tmp_path / "cut.ts"
    ffmpeg("-i", path, "-c", "copy", "-bsf:a", "noise=drop=lt(tb*pts\\,2.5)", cut)
    source = MediaSource(str(cut), layout="stereo", live=True, options={"probesize": "20000"})
    heard = read(source)
    assert len(heard.pictures) == 100
    assert heard.beeps == pytest.approx([3], abs=0.06)
