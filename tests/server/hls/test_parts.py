"""Parts of segments: where they end, and what playlists say of them while a stream goes on."""

import asyncio
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.hls.output import HlsOutput
from server.hls.parts import LEAST, PART, part_ends
from server.hls.playlist import MediaPlaylist
from stream.frames import PicturePacket
from stream.live.feed import Event
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed, moved, play
from tests.helpers.hls_rules import Read, follow, read
from tests.helpers.streams import packets, pictures_of
from tests.helpers.virtual_time import run_virtual

Moment = dict[str, MediaPlaylist]


@given(
    st.lists(st.integers(1, PART + 3000), min_size=1, max_size=60),
    st.sampled_from([1, LEAST]),
    st.booleans(),
)
def test_parts_are_as_long_as_they_must_be(steps: list[int], least: int, whole: bool) -> None:
    places, start = [], 77
    for step in steps:
        places.append((places[-1] if places else start) + step)
    end = places[-1] + 500 if whole else None
    ends = part_ends(start, places, end=end, least=least)
    if ends is None:
        assert max(steps) > PART - LEAST or least == 1 and max(steps) > PART - 500
        return
    lengths = [b - a for a, b in zip([start, *ends], ends, strict=False)]
    assert all(0 < length <= PART for length in lengths)
    assert all(length >= least for length in (lengths[:-1] if whole else lengths))
    assert set(ends) <= {*places, end}
    assert not whole or ends[-1] == end
    # What comes later changes nothing of what was given out.
    for known in range(1, len(places)):
        earlier = part_ends(start, places[:known], least=least)
        assert earlier is not None and earlier == ends[: len(earlier)]


def moments(folder: Path, pictures: list[PicturePacket], end: float) -> list[Moment]:
    """Every state of the playlists of a stream with sound from 0 to ``end`` seconds."""
    found: list[Moment] = []

    async def run() -> None:
        async with bare_feed() as feed:
            output = HlsOutput(feed, folder, segment=1.0, window=8)
            output.playlists.post = found.append  # type: ignore[method-assign,assignment]
            running = asyncio.create_task(output.run())
            await asyncio.sleep(0)
            spoken = Event("translation", "pt", 0, 2 * TICK_RATE, 4 * TICK_RATE, "olá")
            feed.events.publish(spoken)
            await play(feed, pictures, 0, end)
            feed.close()
            await running
            assert output.status().failure is None

    run_virtual(run())
    return [one for at, one in enumerate(found) if one and one is not found[at - 1]]


def readings(folder: Path, seen: list[Moment], name: str) -> list[Read]:
    """One playlist at every moment, checked against the one before it."""
    got: list[Read] = []
    for moment in seen:
        if name in moment:
            reports = [one.report(other) for other, one in moment.items() if other != name]
            full = read(moment[name].text(live=True, reports=reports))
            delta = read(moment[name].text(live=True, skip=True, reports=reports))
            # A delta update and what was known before make the whole.
            kept = dict(list(full.durations.items())[delta.skipped :])
            assert delta.durations == kept and delta.parts == full.parts
            left = [*kept.values(), *(one[0] for one in full.parts.get(full.last + 1, []))]
            assert not delta.skipped or sum(left) > 6 * full.target
            plain = read(moment[name].text())
            assert plain.durations == full.durations and not plain.parts and not plain.hint
            if got:
                follow(got[-1], full)
            got.append(full)
    return got


needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@needs_ffmpeg
def test_every_state_of_every_playlist_keeps_to_the_rules(source: Path, tmp_path: Path) -> None:
    pictures = pictures_of(source)
    pictures += [moved(one, 6) for one in pictures]
    seen = moments(tmp_path, pictures, 11.5)
    names = set(seen[-1])
    assert names == {f"{one}.m3u8" for one in ("video", "audio-pt", "audio-original",
                                               "text-pt", "text-original")}  # fmt: skip
    skipped = 0
    for name in names:
        got = readings(tmp_path, seen, name)
        for one in got[:-1]:
            assert set(one.reports) == names - {name} and one.part_target == 0.5
            for other, (msn, part) in one.reports.items():
                # Renditions are one segment apart at most.
                assert abs(msn - one.edge[0]) <= 1 and (part is None or part < 3), other
        # What was announced is what came, or the segment was over.
        for before, after in zip(got, got[1:], strict=False):
            came = {part[1] for parts in after.parts.values() for part in parts}
            if before.edge != after.edge and before.hint and not after.ended:
                assert before.hint in came, (before.hint, came)
        assert sum(len(parts) for parts in got[-2].parts.values()) >= 4
        skipped += sum("EXT-X-SKIP" in m[name].text(live=True, skip=True) for m in seen)
        for parts in got[-2].parts.values():
            assert all((tmp_path / uri).exists() for _, uri, _ in parts)
    assert skipped > 0
    video = readings(tmp_path, seen, "video.m3u8")[-2]
    assert all(parts[0][2] for parts in video.parts.values())  # a segment begins with a keyframe


@needs_ffmpeg
def test_parts_one_after_the_other_are_the_segment(source: Path, tmp_path: Path) -> None:
    seen = moments(tmp_path, pictures_of(source), 5.5)
    for name in ("video", "audio-pt"):
        got = readings(tmp_path, seen, f"{name}.m3u8")[-2]
        init = next(tmp_path.glob(f"{name}-*.mp4")).read_bytes()
        number = max(number for number in got.parts if number in got.names)
        whole = b"".join((tmp_path / uri).read_bytes() for _, uri, _ in got.parts[number])
        kind = "v:0" if name == "video" else "a:0"
        (tmp_path / "a.mp4").write_bytes(init + whole)
        (tmp_path / "b.mp4").write_bytes(init + (tmp_path / got.names[number]).read_bytes())
        asked = ("pts_time", "dts_time", "size", "duration_time")
        a, b = (
            [[one.get(key) for key in asked] for one in packets(tmp_path / file, kind)]
            for file in ("a.mp4", "b.mp4")
        )
        assert a == b and len(a) > 20


@needs_ffmpeg
def test_captions_are_in_every_part_during_which_they_show(tmp_path: Path) -> None:
    seen = moments(tmp_path, [], 6)
    got = {}
    for moment in seen:
        got |= read(moment["text-pt.m3u8"].text(live=True)).parts
    for number in (2, 3):
        for _, uri, _ in got[number]:
            assert "00:00:02.000 --> 00:00:04.000\nolá" in (tmp_path / uri).read_text()
    assert all("olá" not in (tmp_path / uri).read_text() for _, uri, _ in got[4])


@needs_ffmpeg
def test_pictures_that_come_seldom_are_not_cut_into_parts(source: Path, tmp_path: Path) -> None:
    """One a second from the third to the sixth, as of a talk's slides, then as before."""
    keys = [one for one in pictures_of(source) if one.key]
    pictures = [*pictures_of(source)[:75], *(moved(one, 0.0) for one in keys[3:])]
    pictures += [moved(one, 6) for one in pictures_of(source)]
    seen = moments(tmp_path, pictures, 9.5)
    got = readings(tmp_path, seen, "video.m3u8")
    assert got[-2].parts and not any(number in one.parts for one in got for number in (4, 5))
    sound = readings(tmp_path, seen, "audio-pt.m3u8")
    assert any(4 in one.parts for one in sound)
