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
from tests.helpers.streams import (
    decoded_sound,
    ffmpeg,
    likeness,
    packets,
    pictures_of,
    probe,
    small_source,
)

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s, a key picture every second, B-frames."""
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4")


def written(source: Path, folder: Path, **options: object) -> HlsOutput:
    """The file, played as a feed at four times its pace, as HLS."""

    async def run() -> HlsOutput:
        async with file_feed(source, speed=4.0) as feed:
            output = HlsOutput(feed, folder, **{"segment": 1.0, **options})  # type: ignore[arg-type]
            await output.run()
            assert output.status() == OutputStatus("hls", "master.m3u8", "ended")
            assert feed.picture.readers == feed.events.readers == 0
        return output

    return asyncio.run(run())


@pytest.fixture(scope="module")
def presentation(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hls")
    written(source, folder)
    return folder


def entries(playlist: Path) -> list[tuple[float, str]]:
    """Duration and name of the segments."""
    found = re.findall(r"#EXTINF:([\d.]+),\n(.+)", playlist.read_text())
    return [(float(duration), name) for duration, name in found]


def wait_for(folder: Path, name: str) -> None:
    deadline = time.monotonic() + 20
    while not (folder / name).exists():
        assert time.monotonic() < deadline, f"{name} never came"
        time.sleep(0.05)


def test_ffmpeg_reads_every_rendition_from_the_same_start(presentation: Path) -> None:
    streams = probe(presentation / "master.m3u8", "-show_streams")["streams"]
    assert sorted(stream["codec_name"] for stream in streams) == ["aac", "aac", "h264"]
    starts = [float(stream["start_time"]) for stream in streams]
    assert starts == pytest.approx([0.0] * 3, abs=0.001)


def test_pictures_are_those_of_the_source_at_their_times(source: Path, presentation: Path) -> None:
    want, got = packets(source, "v:0"), packets(presentation / "video.m3u8", "v:0")
    assert len(got) >= len(want) - 3  # the feed ends with its sound
    shown = [float(packet["pts_time"]) for packet in got]
    assert shown == pytest.approx([float(one["pts_time"]) for one in want[: len(got)]], abs=1e-4)
    hashes = [
        ffmpeg("-i", path, "-map", "0:v", "-frames:v", "100", "-f", "md5", "-").stdout
        for path in (source, presentation / "master.m3u8")
    ]
    assert hashes[0] == hashes[1]


def test_the_dub_is_the_default_and_each_track_is_its_own(source: Path, presentation: Path) -> None:
    original = decoded_sound(source)
    dub = decoded_sound(presentation / "audio-pt.m3u8")
    same = decoded_sound(presentation / "audio-original.m3u8")
    assert len(dub) == pytest.approx(len(original), abs=2048)
    # Every second by itself: a shift of a few samples would show in the high tones at the end.
    for second in range(6):
        part = slice(second * TICK_RATE + 2048, (second + 1) * TICK_RATE - 2048)
        assert likeness(original[part], dub[part]) < -0.99
        assert likeness(original[part], same[part]) > 0.99
    master = (presentation / "master.m3u8").read_text()
    default = [line for line in master.splitlines() if "DEFAULT=YES" in line]
    assert len(default) == 1 and 'LANGUAGE="pt"' in default[0] and "TYPE=AUDIO" in default[0]


def test_segments_begin_with_key_pictures_and_follow_each_other(presentation: Path) -> None:
    segments = entries(presentation / "video.m3u8")
    assert [duration for duration, _ in segments] == pytest.approx([1.0] * 6)
    keys = [packet["pts_time"] for packet in packets(presentation / "video.m3u8", "v:0")
            if "K" in packet["flags"]]  # fmt: skip
    assert [float(key) for key in keys] == pytest.approx([0, 1, 2, 3, 4, 5], abs=1e-4)
    for playlist in presentation.glob("*-*.m3u8"):
        assert sum(duration for duration, _ in entries(playlist)) == pytest.approx(6, abs=0.03)
        assert len(entries(playlist)) == 6
        target = re.search(r"TARGETDURATION:(\d+)", playlist.read_text())
        assert target and all(round(d) <= int(target[1]) for d, _ in entries(playlist))
        assert playlist.read_text().endswith("#EXT-X-ENDLIST\n")


def test_dates_follow_the_media(presentation: Path) -> None:
    text = (presentation / "audio-pt.m3u8").read_text()
    seconds = [float(s) for s in re.findall(r"DATE-TIME:.*:(\d\d\.\d+)\+00:00", text)]
    steps = np.diff(seconds) % 60
    durations = [duration for duration, _ in entries(presentation / "audio-pt.m3u8")]
    assert steps == pytest.approx(durations[:-1], abs=0.002)


def test_cues_show_at_media_time(presentation: Path) -> None:
    for name, word in (("original", "second"), ("pt", "segundo")):
        found: dict[str, str] = {}
        for _, segment in entries(presentation / f"text-{name}.m3u8"):
            text = (presentation / segment).read_text()
            assert text.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n")
            for times, shown in re.findall(r"(.+ --> .+)\n(.+)\n", text):
                found[shown] = times
        assert found[f"{word} 3"] == "00:00:03.000 --> 00:00:04.000"
        assert len(found) >= 5


def test_the_window_is_bounded_and_old_files_go(source: Path, tmp_path: Path) -> None:
    written(source, tmp_path, segment=0.5, window=2)
    playlist = tmp_path / "video.m3u8"
    assert len(entries(playlist)) == 2
    first = re.search(r"MEDIA-SEQUENCE:(\d+)", playlist.read_text())
    assert first and int(first[1]) == 4
    for playlist in tmp_path.glob("*-*.m3u8"):
        kept = list(tmp_path.glob(f"{playlist.stem}-*.[mv][4t][st]"))
        assert len(kept) <= 2 * 2 + 1
    for name in [one for playlist in tmp_path.glob("*.m3u8") for _, one in entries(playlist)]:
        assert (tmp_path / name).exists()
    assert not list(tmp_path.glob(".*"))


def test_ffmpeg_follows_while_it_is_written(source: Path, tmp_path: Path) -> None:
    async def run() -> float:
        async with file_feed(source) as feed:
            output = HlsOutput(feed, tmp_path / "hls", segment=1.0, window=3)
            running = asyncio.create_task(output.run())
            await asyncio.to_thread(wait_for, tmp_path / "hls", "master.m3u8")
            reader = await asyncio.create_subprocess_exec(
                "ffmpeg", "-nostdin", "-v", "error", "-live_start_index", "0",
                "-i", tmp_path / "hls" / "master.m3u8",
                "-map", "0:v", "-map", "0:a:0", "-c", "copy", tmp_path / "read.mkv",
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            await running
            _, said = await asyncio.wait_for(reader.communicate(), 20)
            assert reader.returncode == 0 and not said, said
        shown = [float(packet["pts_time"]) for packet in packets(tmp_path / "read.mkv", "v:0")]
        assert len(shown) >= 140
        return max(np.diff(sorted(shown)))

    assert asyncio.run(run()) < 0.05  # no segment was lost


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

    asyncio.run(run())


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


def test_rare_key_pictures_do_not_make_long_segments(tmp_path: Path) -> None:
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


def test_a_late_cue_and_a_long_one(tmp_path: Path) -> None:
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

    asyncio.run(run())
    texts = [(tmp_path / name).read_text() for _, name in entries(tmp_path / "text-pt.m3u8")]
    cue = "00:00:02.000 --> 00:00:04.000\na &lt;b&gt; &amp; c"
    assert [cue in text for text in texts] == [False, False, True, True, False, False]
    assert "late" not in "".join(texts)


def test_a_disk_that_fails_ends_the_output_in_one_sentence(
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

    assert asyncio.run(run()) == "HLS has ended: Not a directory"
    assert len(caplog.records) == 1


def test_a_slow_disk_does_not_hold_up_the_feed(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    slow = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        time.sleep(0.5)
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
    took, output = asyncio.run(run())
    assert took < 3.0
    assert output.status().missed > 0


def test_closing_early_ends_the_playlists_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
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

    asyncio.run(run())
    assert (tmp_path / "video.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
