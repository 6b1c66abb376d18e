"""What players find: every rendition of a whole presentation, and a window that moves."""

import asyncio
import re
import shutil
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from server.hls.output import HlsOutput
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed, play
from tests.helpers.feeds import file_feed
from tests.helpers.hls_folder import entries, wait_for, written
from tests.helpers.streams import (
    decoded_sound,
    ffmpeg,
    likeness,
    packets,
    probe,
)

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def presentation(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hls")
    written(source, folder)
    return folder


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


def test_segments_begin_with_keyframes_and_follow_each_other(presentation: Path) -> None:
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


@pytest.mark.virtual_time
async def test_dates_are_the_sources_and_tracks_say_what_they_are(tmp_path: Path) -> None:
    loop, began = asyncio.get_running_loop(), time.time()
    async with bare_feed() as feed:
        feed.came = lambda time: feed.due(time) - 40
        feed.disclosed = True
        output = HlsOutput(feed, tmp_path, segment=1.0)
        running, zero = asyncio.create_task(output.run()), loop.time()
        await asyncio.sleep(0)
        await play(feed, [], 0, 3)
        feed.close()
        await running
    date = re.search(r"DATE-TIME:(.+)", (tmp_path / "audio-pt.m3u8").read_text())
    elapsed = loop.time() - zero + time.time() - began
    assert date is not None
    assert datetime.fromisoformat(date[1]).timestamp() == pytest.approx(began - 40, abs=elapsed)
    kinds = {}
    for line in (tmp_path / "master.m3u8").read_text().splitlines():
        if line.startswith("#EXT-X-MEDIA:"):
            kind, language = re.findall(r'TYPE=(\w+)|LANGUAGE="(\w+)"', line)
            characteristics = re.search(r'CHARACTERISTICS="(.*?)"', line)
            said = set(characteristics[1].split(",")) if characteristics else set()
            kinds[kind[0], language[1]] = said
            assert ("FORCED=NO" in line) == (kind[0] == "SUBTITLES")
    spoken, made = "public.accessibility.transcribes-spoken-dialog", "public.machine-generated"
    assert kinds == {
        ("AUDIO", "en"): set(),
        ("AUDIO", "pt"): {made},
        ("SUBTITLES", "en"): {made, spoken},
        ("SUBTITLES", "pt"): {made},
    }


def test_cues_show_at_media_time(presentation: Path) -> None:
    for name, word in (("original", "second"), ("pt", "segundo")):
        found: dict[str, str] = {}
        for _, segment in entries(presentation / f"text-{name}.m3u8"):
            text = (presentation / segment).read_text()
            map_ = re.match(r"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:(\d+),LOCAL:00:00:(.+)\n\n", text)
            assert map_ is not None and int(map_[1]) == pytest.approx(90_000 * float(map_[2]))
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
        parts = [path for path in kept if re.search(r"-p\d+$", path.stem)]
        assert len(kept) - len(parts) <= 2 * 2 + 1 and 0 < len(parts) <= 2 * (2 + 1)
    for name in [one for playlist in tmp_path.glob("*.m3u8") for _, one in entries(playlist)]:
        assert (tmp_path / name).exists()
    assert not list(tmp_path.glob(".*"))


async def test_ffmpeg_follows_while_it_is_written(source: Path, tmp_path: Path) -> None:
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

    assert await run() < 0.05  # no segment was lost
