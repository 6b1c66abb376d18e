"""Sound and picture whose clocks began hours apart got silence for the time between, or moved each
other; they must be put together by their arrival, while a distance of seconds is kept."""

from __future__ import annotations

import pytest

from tests.helpers.made_sources import AUDIO, VIDEO, Tag, beeping, flv_tags
from tests.helpers.rtmp_publisher import publish


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> list[Tag]:
    return flv_tags(beeping(tmp_path_factory.mktemp("flv") / "a.flv"))


def moved(tags: list[Tag], kind: int, ms: int, *, after: int = 0) -> list[Tag]:
    """One kind's clock set by ``ms`` from a time on."""
    return [
        Tag(kind, (tag.time + ms) % (1 << 32), tag.body)
        if tag.kind == kind and tag.time >= after and not tag.configures
        else tag
        for tag in tags
    ]


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
@pytest.mark.parametrize("ms", [5_000_000, 89_478_000, 0x7FFF_0000])
async def test_clocks_far_apart_are_put_together(tags: list[Tag], kind: int, ms: int) -> None:
    heard = await publish(moved(tags, kind, ms))
    assert heard.length == pytest.approx(3, abs=0.15)
    assert len(heard.pictures) == 75
    assert heard.shown[-1] == pytest.approx(2.96, abs=0.15)
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.15)


@pytest.mark.parametrize("ms", [300, 1500])
async def test_a_distance_that_devices_have_is_kept(tags: list[Tag], ms: int) -> None:
    heard = await publish(moved(tags, AUDIO, ms))
    assert heard.beeps == pytest.approx([ms / 1000 + n for n in range(3)], abs=0.06)
    assert heard.shown[0] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
async def test_a_clock_that_is_set_alone_goes_on(tags: list[Tag], kind: int) -> None:
    heard = await publish(moved(tags, kind, 7_000_000, after=1000))
    assert heard.length == pytest.approx(3, abs=0.15)
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.1)
    assert heard.shown[-1] == pytest.approx(2.96, abs=0.1)


@pytest.mark.parametrize("ms", [-(1 << 31), 0x7FFF_F000, 1 << 31, (1 << 32) - 1500])
async def test_one_clock_of_31_or_32_bits_starts_again(tags: list[Tag], ms: int) -> None:
    bits = 1 << (31 if ms == 0x7FFF_F000 else 32)
    shifted = [Tag(tag.kind, (tag.time + ms) % bits, tag.body) for tag in tags]
    heard = await publish(shifted)
    assert heard.length == pytest.approx(3, abs=0.1)
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.08)
    assert len(heard.pictures) == 75
