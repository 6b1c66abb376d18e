import asyncio
import contextlib
import os
import re
import shutil
import threading
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from server.hls.output import HlsOutput
from stream.frames import PicturePacket
from stream.live.feed import Event
from stream.live.output import OutputStatus
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed, moved, play
from tests.helpers.feeds import file_feed
from tests.helpers.hls_folder import entries
from tests.helpers.streams import (
    ffmpeg,
    packets,
    pictures_of,
    probe,
    small_source,
)
from tests.helpers.virtual_time import pause, run_virtual

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


# Feeds that are not a clean file: published by hand, faster than they would be heard.


def presented(
    folder: Path,
    pictures: list[PicturePacket],
    end: float,
    begin: float = 0.0,
    pace: float = 20.0,
) -> None:
    async def run() -> None:
        async with bare_feed() as feed:
            output = HlsOutput(feed, folder, segment=1.0, window=50)
            running = asyncio.create_task(output.run())
            await asyncio.sleep(0)
            await play(feed, pictures, begin, end, pace)
            feed.close()
            await running
            assert output.status() == OutputStatus("hls", "master.m3u8", "ended")

    run_virtual(run())


def shown_times(folder: Path) -> list[float]:
    return sorted(float(one["pts_time"]) for one in packets(folder / "video.m3u8", "v:0"))


def test_sound_without_picture(tmp_path: Path) -> None:
    presented(tmp_path, [], 5.0)
    streams = probe(tmp_path / "master.m3u8", "-show_streams")["streams"]
    assert {stream["codec_name"] for stream in streams} == {"aac"}
    assert [round(duration) for duration, _ in entries(tmp_path / "audio-pt.m3u8")] == [1] * 5
    assert not list(tmp_path.glob("video*"))
    date = re.search(r"DATE-TIME:(.+)", (tmp_path / "audio-pt.m3u8").read_text())
    assert date and abs(datetime.fromisoformat(date[1]).timestamp() - time.time()) < 60


def test_a_picture_that_starts_a_little_later_starts_all(source: Path, tmp_path: Path) -> None:
    later = [moved(picture, 0.7) for picture in pictures_of(source)]
    presented(tmp_path, later, 5.0)
    streams = probe(tmp_path / "master.m3u8", "-show_streams")["streams"]
    assert [float(one["start_time"]) for one in streams] == pytest.approx([0.7] * 3, abs=0.001)


def test_a_picture_that_starts_much_later_joins_the_sound(source: Path, tmp_path: Path) -> None:
    later = [moved(picture, 3.3) for picture in pictures_of(source)]
    presented(tmp_path, later, 8.0)
    assert shown_times(tmp_path)[0] == pytest.approx(3.3, abs=0.001)
    sound = packets(tmp_path / "audio-pt.m3u8", "a:0")
    assert float(sound[0]["pts_time"]) == pytest.approx(0, abs=0.001)
    assert np.diff([float(one["pts_time"]) for one in sound]).max() < 0.022
    video, audio = (tmp_path / f"{name}.m3u8" for name in ("video", "audio-pt"))
    first = re.search(r"MEDIA-SEQUENCE:(\d+)", video.read_text())
    # Segments of one number are of one time in all renditions.
    assert first and len(entries(audio)) == int(first[1]) + len(entries(video))
    assert "RESOLUTION=160x90" in (tmp_path / "master.m3u8").read_text()


@pytest.mark.parametrize("pace", [20.0, 1e6])  # a slow disk takes much at once
def test_a_picture_that_stalls_stands_still_and_goes_on(
    source: Path, tmp_path: Path, pace: float
) -> None:
    pictures = pictures_of(source)
    stalled = [
        *(one for one in pictures if one.time < 1.5 * TICK_RATE),
        *(moved(one, 4.0) for one in pictures if one.time >= 1.5 * TICK_RATE),
    ]
    presented(tmp_path, stalled, 9.0, pace=pace)
    shown = shown_times(tmp_path)
    assert np.diff(shown).max() <= 1.49  # a picture at least for every segment
    assert shown[-1] > 8.8
    # What followed the stall but referred to pictures before it is not shown.
    assert not [time for time in shown if 5.6 < time < 5.95]
    durations = [duration for duration, _ in entries(tmp_path / "video.m3u8")]
    assert sum(durations) == pytest.approx(9.0, abs=0.05) and max(durations) <= 1.49
    out = ffmpeg("-i", tmp_path / "master.m3u8", "-map", "0", "-f", "null", "-")
    assert out.stderr == b""


def test_another_coding_is_a_discontinuity(source: Path, tmp_path: Path) -> None:
    extra = ("-vf", "scale=320:180")
    large = small_source(tmp_path / "large.mp4", length=3, extra=extra)
    folder = tmp_path / "hls"
    first = [one for one in pictures_of(source) if one.time < 2.5 * TICK_RATE]
    second = [moved(one, 2.6) for one in pictures_of(large)]
    presented(folder, first + second, 5.5)
    for name in ("video", "audio-pt", "text-pt"):
        text = (folder / f"{name}.m3u8").read_text()
        before, _, after = text.partition("#EXT-X-DISCONTINUITY\n")
        assert before.count("#EXTINF") == 3 and after.count("#EXTINF") >= 2
    assert (folder / "video.m3u8").read_text().count("#EXT-X-MAP") == 2
    shown = shown_times(folder)
    assert np.diff(shown).max() < 0.25
    # FFmpeg 5.1 takes only the first init segment of a playlist, so each part is read by itself.
    sizes = []
    for init in sorted(folder.glob("video-*.mp4"), key=lambda path: path.stat().st_mtime):
        number = int(init.stem.rpartition("-")[2])
        whole = tmp_path / "part.mp4"
        whole.write_bytes(init.read_bytes() + init.with_suffix(".m4s").read_bytes())
        assert init.stem.endswith(f"-{number}")
        sizes.append(probe(whole, "-show_streams")["streams"][0]["width"])
    assert sizes == [160, 320]


def test_rare_keyframes_do_not_make_long_segments(tmp_path: Path) -> None:
    source = small_source(tmp_path / "rare.mp4", length=12, gop=1000)
    presented(tmp_path / "hls", pictures_of(source), 12.0)
    durations = [duration for duration, _ in entries(tmp_path / "hls" / "video.m3u8")]
    assert sum(durations) == pytest.approx(12.0, abs=0.1)
    assert len(durations) == 2 and max(durations) <= 6.0
    shown = shown_times(tmp_path / "hls")
    assert np.diff(shown).max() < 0.05
    out = ffmpeg("-i", tmp_path / "hls" / "master.m3u8", "-map", "0", "-f", "null", "-")
    assert out.stderr == b""


def test_pictures_from_a_transport_stream(source: Path, tmp_path: Path) -> None:
    ffmpeg("-i", source, "-c", "copy", "-bsf:v", "h264_mp4toannexb", tmp_path / "in.ts")
    presented(tmp_path / "hls", pictures_of(tmp_path / "in.ts"), 5.0)
    assert len(list((tmp_path / "hls").glob("video-*.mp4"))) == 1
    out = ffmpeg("-i", tmp_path / "hls" / "master.m3u8", "-map", "0", "-f", "null", "-")
    assert out.stderr == b""


@pytest.mark.virtual_time
async def test_a_late_cue_and_a_long_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with bare_feed() as feed:
            output = HlsOutput(feed, tmp_path, segment=1.0)
            running = asyncio.create_task(output.run())
            await play(feed, [], 0, 1)
            long = Event("translation", "pt", 0, 2 * TICK_RATE, 4 * TICK_RATE, "a <b> & c")
            feed.events.publish(long)
            await play(feed, [], 1, 5)
            feed.events.publish(Event("translation", "pt", 1, TICK_RATE, 2 * TICK_RATE, "late"))
            await play(feed, [], 5, 6)
            feed.close()
            await running

    await run()
    texts = [(tmp_path / name).read_text() for _, name in entries(tmp_path / "text-pt.m3u8")]
    cue = "00:00:02.000 --> 00:00:04.000\na &lt;b&gt; &amp; c"
    assert [cue in text for text in texts] == [False, False, True, True, False, False]
    assert "late" not in "".join(texts)


@pytest.mark.virtual_time
async def test_a_disk_that_fails_ends_the_output_in_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")

    async def run() -> str | None:
        async with bare_feed() as feed:
            output = HlsOutput(feed, tmp_path / "file" / "hls", segment=1.0)
            running = asyncio.create_task(output.run())
            await play(feed, [], 0, 3)
            await asyncio.wait_for(running, 5)
            assert feed.tracks["pt"].readers == 0
            await play(feed, [], 3, 4)
            assert output.status().state == "failed"
            return output.status().failure

    assert await run() == "HLS has ended: Not a directory"
    assert len(caplog.records) == 1


@pytest.mark.virtual_time
async def test_a_slow_disk_does_not_hold_up_the_feed(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    slow = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        pause(0.5)
        return slow(path, data)

    async def run() -> tuple[float, HlsOutput]:
        loop = asyncio.get_running_loop()
        async with bare_feed() as feed:
            output = HlsOutput(feed, tmp_path, segment=1.0)
            running = asyncio.create_task(output.run())
            began = loop.time()
            await play(feed, [], 0, 30, pace=20)
            took = loop.time() - began
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            return took, output

    monkeypatch.setattr(Path, "write_bytes", write)
    took, output = await run()
    assert took == pytest.approx(1.5)
    assert output.status().missed > 0


@pytest.mark.virtual_time
async def test_closing_early_ends_the_playlists_and_leaves_nothing(
    source: Path, tmp_path: Path
) -> None:
    async def run() -> None:
        async with file_feed(source, speed=4.0) as feed:
            output = HlsOutput(feed, tmp_path, segment=1.0)
            async with asyncio.TaskGroup() as group:
                group.create_task(output.run())
                await asyncio.sleep(1.0)
                await output.aclose()
            assert feed.tracks["pt"].readers == feed.picture.readers == 0
            assert len(asyncio.all_tasks()) <= 2  # this one and the feed's
            assert not [t for t in threading.enumerate() if t.name == "livedub-hls"]

    await run()
    assert (tmp_path / "video.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
