import asyncio
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.outputs.recording import LEFT_S, Recording
from stream.live.output import OutputStatus
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed, moved, play
from tests.helpers.feeds import file_feed
from tests.helpers.streams import decoded_sound, likeness, packets, pictures_of, probe, small_source

pytestmark = [
    pytest.mark.virtual_time,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4")


def check_whole(source: Path, recorded: Path) -> None:
    """Dub first and default, the original second, everything at the times of the source."""
    streams = probe(recorded, "-show_streams")["streams"]
    assert [one["codec_type"] for one in streams] == ["video", "audio", "audio"]
    assert [one["tags"]["language"] for one in streams[1:]] == ["por", "eng"]
    assert [one["disposition"]["default"] for one in streams[1:]] == [1, 0]
    assert [float(one["start_time"]) for one in streams] == pytest.approx([0] * 3, abs=0.001)
    want = [float(one["pts_time"]) for one in packets(source, "v:0")]
    shown = [float(one["pts_time"]) for one in packets(recorded, "v:0")]
    assert shown == pytest.approx(want[: len(shown)], abs=0.001)
    whole, dub, original = (
        decoded_sound(path, track)
        for path, track in ((source, "a:0"), (recorded, "a:0"), (recorded, "a:1"))
    )
    for second in range(int(shown[-1]) - 1):
        part = slice(second * TICK_RATE + 2048, (second + 1) * TICK_RATE)
        assert likeness(whole[part], dub[part]) < -0.99
        assert likeness(whole[part], original[part]) > 0.99


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_picture_and_every_track(source: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"show{suffix}"

    async def run() -> None:
        async with file_feed(source, speed=4.0) as feed:
            recording = Recording(feed, path)
            running = asyncio.create_task(recording.run())
            await asyncio.sleep(1.0)
            assert not path.exists()  # its name is for what is complete
            await running
            assert recording.files == [path]
            assert recording.status() == OutputStatus("recording", path.name, "ended")
            assert feed.picture.readers == feed.tracks["pt"].readers == 0

    await run()
    check_whole(source, path)
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import asyncio, sys
from pathlib import Path
from server.outputs.recording import LEFT_S, Recording
from tests.helpers.feeds import file_feed

async def main():
    async with file_feed(Path(sys.argv[1]), speed=4.0) as feed:
        await Recording(feed, Path(sys.argv[2])).run()

asyncio.run(main())
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_killed_in_the_middle_it_can_be_played(source: Path, tmp_path: Path, suffix: str) -> None:
    path, part = tmp_path / f"show{suffix}", tmp_path / f".show.part{suffix}"
    process = subprocess.Popen([sys.executable, "-c", KILLED, source, path])
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 90_000):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    check_whole(source, part)
    assert float(packets(part, "v:0")[-1]["pts_time"]) > 1.5


async def test_without_picture(tmp_path: Path) -> None:
    async def run() -> None:
        async with bare_feed() as feed:
            recording = Recording(feed, tmp_path / "sound.mp4", ("pt",))
            running = asyncio.create_task(recording.run())
            await play(feed, [], 0, 4)
            feed.close()
            await running

    await run()
    (stream,) = probe(tmp_path / "sound.mp4", "-show_streams")["streams"]
    assert stream["codec_name"] == "aac" and float(stream["duration"]) == pytest.approx(4, abs=0.05)


async def test_another_coding_goes_on_in_another_file(source: Path, tmp_path: Path) -> None:
    large = small_source(tmp_path / "large.mp4", length=3, extra=("-vf", "scale=320:180"))
    first = [one for one in pictures_of(source) if one.time < 2.5 * TICK_RATE]
    second = [moved(one, 2.6) for one in pictures_of(large)]

    async def run() -> Recording:
        async with bare_feed() as feed:
            recording = Recording(feed, tmp_path / "show.mp4")
            running = asyncio.create_task(recording.run())
            await play(feed, first + second, 0, 5)
            feed.close()
            await running
        return recording

    recording = await run()
    assert [path.name for path in recording.files] == ["show.mp4", "show-2.mp4"]
    for path, size, length in zip(recording.files, (160, 320), (2.6, 2.4), strict=True):
        video, sound, _ = probe(path, "-show_streams")["streams"]
        assert video["width"] == size
        assert float(sound["duration"]) == pytest.approx(length, abs=0.05)
        assert float(sound["start_time"]) == pytest.approx(0, abs=0.001)


async def test_the_next_publisher_gets_another_file(source: Path, tmp_path: Path) -> None:
    """The feed goes on in silence meanwhile: of a night without a publisher nothing is kept."""
    away = range(2 * TICK_RATE, 60 * TICK_RATE)
    again = [moved(one, 60) for one in pictures_of(source)]

    async with bare_feed() as feed:
        feed.absence = lambda time: time - away.start if time in away else 0
        recording = Recording(feed, tmp_path / "show.mp4")
        running = asyncio.create_task(recording.run())
        first = [one for one in pictures_of(source) if one.time < 2 * TICK_RATE]
        await play(feed, first + again, 0, 62)
        feed.close()
        await running
    assert [path.name for path in recording.files] == ["show.mp4", "show-2.mp4"]
    for path, length in zip(recording.files, (2 + LEFT_S, 2), strict=True):
        video, sound, _ = probe(path, "-show_streams")["streams"]
        assert float(sound["duration"]) == pytest.approx(length, abs=0.3)
        assert float(video["start_time"]) == pytest.approx(0, abs=0.001)


async def test_a_picture_that_comes_late_starts_another_file(source: Path, tmp_path: Path) -> None:
    async def run() -> Recording:
        async with bare_feed() as feed:
            recording = Recording(feed, tmp_path / "show.mp4")
            running = asyncio.create_task(recording.run())
            await play(feed, [moved(one, 3) for one in pictures_of(source)], 0, 6)
            feed.close()
            await running
        return recording

    recording = await run()
    kinds = [
        [one["codec_type"] for one in probe(path, "-show_streams")["streams"]]
        for path in recording.files
    ]
    assert kinds == [["audio", "audio"], ["video", "audio", "audio"]]


async def test_a_disk_that_fills_ends_the_recording_alone(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")

    async def run() -> None:
        async with file_feed(source, speed=4.0) as feed:
            heard = feed.tracks["pt"].subscribe(1000)
            recording = Recording(feed, disk / "show.mp4")
            await recording.run()
            status = recording.status()
            assert status.state == "failed"
            assert status.failure == "the recording 'show.mp4' has ended: No space left on device"
            assert len([block async for block in heard]) > 290  # the stream went on

    try:
        await run()
        assert len(caplog.records) == 1
        kept = disk / "show.mp4"
        assert float(packets(kept, "v:0")[-1]["pts_time"]) > 0.9
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


async def test_closing_early_gives_the_file_its_name(source: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with file_feed(source, speed=4.0) as feed:
            recording = Recording(feed, tmp_path / "show.mp4")
            async with asyncio.TaskGroup() as group:
                group.create_task(recording.run())
                await asyncio.sleep(0.8)
                await recording.aclose()

    await run()
    assert float(packets(tmp_path / "show.mp4", "v:0")[-1]["pts_time"]) > 0.5


async def test_a_cancelled_recording_has_its_name_too(source: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with file_feed(source, speed=4.0) as feed:
            running = asyncio.create_task(Recording(feed, tmp_path / "show.mp4").run())
            await asyncio.sleep(0.8)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    await run()
    assert [path.name for path in tmp_path.iterdir()] == ["show.mp4"]
    assert float(packets(tmp_path / "show.mp4", "v:0")[-1]["pts_time"]) > 0.3


async def test_unknown_containers_and_tracks_are_refused(tmp_path: Path) -> None:
    async with bare_feed() as feed:
        with pytest.raises(ValueError, match=r"use \.mp4, \.mkv or \.ts"):
            Recording(feed, tmp_path / "show.avi")
        with pytest.raises(KeyError):
            Recording(feed, tmp_path / "show.mp4", ("xx",))
        assert feed.picture.readers == 0
