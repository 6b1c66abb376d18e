"""A new resolution or new parameter sets in mid-stream went unnoticed, and players froze; what is
shown from then on must say its new size and be decodable from its first keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from stream.frames import PicturePacket
from tests.helpers.made_sources import AUDIO, Heard, Tag, beeping, flv_tags
from tests.helpers.rtmp_publisher import publish

SIZES = [(64, 48), (48, 64)]


def turned(folder: Path, *, configured: bool) -> list[Tag]:
    """A phone that is turned after a second and a half, and back after three; sound goes on."""
    parts = [
        flv_tags(beeping(folder / f"{n}.flv", size=f"{w}x{h}", length=4))
        for n, (w, h) in enumerate(SIZES)
    ]
    tags = [tag for tag in parts[0] if tag.kind == AUDIO]
    for begin, end, part in ((0, 1400, parts[0]), (1400, 3000, parts[1]), (3000, 4000, parts[0])):
        pictures = [tag for tag in part if tag.kind != AUDIO]
        if configured or begin == 0:
            tags.append(Tag(pictures[0].kind, begin, pictures[0].body))
        tags += [tag for tag in pictures[1:] if begin <= tag.time < end]
    return sorted(tags, key=lambda tag: (tag.time, not tag.configures))


def decoded(pictures: list[PicturePacket]) -> Iterator[tuple[int, int]]:
    decoder = av.CodecContext.create("h264", "r")
    for picture in pictures:
        for frame in decoder.decode(av.Packet(picture.data)):
            yield frame.width, frame.height
    for frame in decoder.decode(None):
        yield frame.width, frame.height


def check(heard: Heard) -> None:
    told = [(p.format.width, p.format.height) for p in heard.pictures]
    assert told == [SIZES[0]] * 35 + [SIZES[1]] * 40 + [SIZES[0]] * 25
    assert heard.pictures[35].key and heard.pictures[75].key
    assert list(decoded(heard.pictures)) == told
    assert list(decoded(heard.pictures[35:75])) == told[35:75]
    assert heard.beeps == pytest.approx([0, 1, 2, 3], abs=0.06)
    assert heard.shown == pytest.approx([n / 25 for n in range(100)], abs=0.03)


async def test_a_phone_that_is_turned(tmp_path: Path) -> None:
    check(await publish(turned(tmp_path, configured=True)))


async def test_sound_that_changes_its_rate_goes_on(tmp_path: Path) -> None:
    one = flv_tags(beeping(tmp_path / "one.flv"))
    two = flv_tags(beeping(tmp_path / "two.flv", "-ar", "22050", "-ac", "1"))
    configuration = next(tag for tag in two if tag.kind == AUDIO)
    tags = [tag for tag in one if tag.time < 1500 or tag.kind != AUDIO]
    tags += [Tag(AUDIO, 1500, configuration.body)]
    tags += [t for t in two if t.kind == AUDIO and t.time >= 1500 and not t.configures]
    heard = await publish(sorted(tags, key=lambda tag: (tag.time, not tag.configures)))
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.07)
    assert heard.length == pytest.approx(3, abs=0.1)
