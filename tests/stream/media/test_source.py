"""Inputs that are not a clean clip: what is read of them, and what is said if they cannot be."""

import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from stream.frames import AudioChunk, CopiedPacket, Samples
from stream.media.options import InputOptions
from stream.media.sink import STANDARD_OUTPUT, FileSink, SinkError
from stream.media.source import MediaSource, SourceError
from stream.timeline import TICK_RATE, ticks
from tests.helpers.dubbed_file import copy

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def read(path: Path) -> tuple[MediaSource, Samples, list[CopiedPacket]]:
    """All of a source; its sound must be contiguous from 0."""
    source = MediaSource(str(path))
    parts: list[Samples] = []
    packets: list[CopiedPacket] = []
    position = 0
    for item in source:
        if isinstance(item, AudioChunk):
            assert item.start == position
            position = item.end
            parts.append(item.samples)
        else:
            packets.append(item)
    source.close()
    return source, np.concatenate(parts), packets


def copied(path: Path, out: Path) -> None:
    source = MediaSource(str(path))
    sink = FileSink(out, source.info, language="pt", source_language="en")
    try:
        copy(source, sink)
    except BaseException:
        sink.discard()
        raise
    source.close()


def beeps(samples: Samples) -> list[float]:
    """When each beep begins, seconds."""
    loud = np.abs(samples[:, 0]) > 0.02
    block = loud[: len(loud) // 480 * 480].reshape(-1, 480).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], block.astype(int)])) == 1)
    return [edge * 0.01 for edge in edges]


BEEPS = "sine=1000:r={rate}:d={length},volume='if(lt(mod(t,1),0.2),1,0)':eval=frame"


def beeping(
    path: Path, *, rate: int = 48_000, length: float = 5, extra: tuple[str, ...] = ()
) -> Path:
    """A picture, and a beep at every full second."""
    sound = BEEPS.format(rate=rate, length=length)
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc=s=64x64:r=25:d={length}",
        "-f", "lavfi", "-i", sound, "-shortest", *extra, path,
    )  # fmt: skip
    return path


@needs_ffmpeg
@pytest.mark.parametrize("start", ["0", "1.4", "-3", "93000"])
def test_a_source_may_start_at_any_time(tmp_path: Path, start: str) -> None:
    path = beeping(tmp_path / "a.ts", extra=("-output_ts_offset", start))
    _, sound, packets = read(path)
    assert beeps(sound) == pytest.approx([0, 1, 2, 3, 4], abs=0.05)
    assert min(packet.time for packet in packets) <= ticks(0.1)


@needs_ffmpeg
def test_a_clock_that_restarts_is_bridged(tmp_path: Path) -> None:
    one = beeping(tmp_path / "one.ts", length=3, extra=("-output_ts_offset", "5000"))
    two = beeping(tmp_path / "two.ts", length=3)
    path = tmp_path / "both.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    source, sound, packets = read(path)
    assert len(sound) / TICK_RATE == pytest.approx(6, abs=0.15)
    assert beeps(sound) == pytest.approx([0, 1, 2, 3, 4, 5], abs=0.1)
    assert source.repaired >= 1
    for stream in {packet.stream for packet in packets}:
        times = [packet.time for packet in packets if packet.stream == stream]
        assert times == sorted(times)


@needs_ffmpeg
def test_a_gap_becomes_silence_of_its_length(tmp_path: Path) -> None:
    whole = beeping(tmp_path / "whole.mkv", length=6)
    path = tmp_path / "gap.mkv"
    with av.open(str(whole)) as media, av.open(str(path), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in media.streams}
        for packet in media.demux():
            lost = (
                packet.stream.type == "audio" and 1.5 < (packet.pts or 0) * packet.time_base < 3.5
            )
            if packet.dts is not None and not lost:
                packet.stream = streams[packet.stream_index]
                out.mux_one(packet)
    source, sound, _ = read(path)
    assert source.repaired == 1
    assert beeps(sound) == pytest.approx([0, 1, 4, 5], abs=0.05)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("options", "channels", "centre"),
    [
        (("-ar", "8000", "-ac", "1"), 1, None),
        (("-ar", "44100", "-ac", "2"), 2, None),
        (("-ac", "6"), 6, 2),
    ],
)
def test_any_rate_and_layout(
    tmp_path: Path, options: tuple[str, ...], channels: int, centre: int | None
) -> None:
    path = beeping(tmp_path / "a.mkv", extra=options)
    source, sound, _ = read(path)
    assert sound.shape[1] == channels and source.info.centre == centre
    assert len(sound) / TICK_RATE == pytest.approx(5, abs=0.1)
    copied(path, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as media:
        assert media.streams.audio[0].channels == channels


@needs_ffmpeg
def test_sound_that_changes_on_the_way(tmp_path: Path) -> None:
    """MPEG-TS whose audio goes from 48 kHz stereo to 32 kHz mono, as broadcasters switch."""
    parts = []
    for index, options in enumerate((("-ar", "48000", "-ac", "2"), ("-ar", "32000", "-ac", "1"))):
        part = tmp_path / f"{index}.ts"
        offset = str(3 * index + 10)
        beeping(part, length=3, extra=("-c:a", "mp2", *options, "-output_ts_offset", offset))
        parts.append(part.read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    _, sound, _ = read(path)
    assert sound.shape[1] == 2
    assert beeps(sound) == pytest.approx([0, 1, 2, 3, 4, 5], abs=0.1)


@needs_ffmpeg
def test_a_variable_frame_rate_keeps_every_timestamp(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=4", "-f", "lavfi", "-i", "sine=d=4",
        "-vf", "select='not(mod(n,3))+lt(n,20)'", "-fps_mode", "vfr", path,
    )  # fmt: skip
    copied(path, tmp_path / "out.mp4")

    def times(file: Path) -> list[float]:
        with av.open(str(file)) as media:
            return [float(p.pts * p.time_base) for p in media.demux(video=0) if p.size]

    assert times(path) == pytest.approx(times(tmp_path / "out.mp4"), abs=1e-6)


@needs_ffmpeg
def test_other_tracks_are_kept(tmp_path: Path) -> None:
    subtitles = tmp_path / "in.srt"
    subtitles.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    path = tmp_path / "many.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3",
        "-f", "lavfi", "-i", "sine=300:d=3", "-i", subtitles,
        "-map", "0", "-map", "1", "-map", "2", "-map", "3",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra",
        "-metadata", "title=A film", path,
    )  # fmt: skip
    copied(path, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as media:
        languages = [s.metadata.get("language") for s in media.streams.audio]
        assert languages == ["por", "eng", "fra"]
        assert len(media.streams.subtitles) == 1
        assert media.metadata["title"] == "A film"


def test_a_cut_off_file_is_read_to_where_it_breaks(clip: Clip, tmp_path: Path) -> None:
    copied(clip.path, tmp_path / "whole.ts")
    path = tmp_path / "cut.ts"
    content = (tmp_path / "whole.ts").read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    _, sound, _ = read(path)
    assert 0.3 * clip.duration < len(sound) / TICK_RATE < 0.9 * clip.duration


def test_garbage_in_the_middle_is_survived(clip: Clip, tmp_path: Path) -> None:
    copied(clip.path, tmp_path / "whole.ts")
    content = bytearray((tmp_path / "whole.ts").read_bytes())
    middle = len(content) // 2 // 188 * 188
    content[middle : middle + 188 * 40] = np.random.default_rng(0).bytes(188 * 40)
    path = tmp_path / "bad.ts"
    path.write_bytes(content)
    _, sound, _ = read(path)
    assert len(sound) / TICK_RATE == pytest.approx(clip.duration, abs=0.2)


@needs_ffmpeg
def test_a_picture_without_sound_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", path)
    with pytest.raises(SourceError, match="no audio track: there is nothing to dub"):
        MediaSource(str(path))


def test_tracks_are_chosen_by_number(clip: Clip) -> None:
    with pytest.raises(SourceError, match="choose one from 0 to 0"):
        MediaSource(clip.path, choice=InputOptions(track=3))


@pytest.mark.parametrize("suffix", ["", ".xyz"])
def test_an_unknown_container_is_one_sentence(clip: Clip, tmp_path: Path, suffix: str) -> None:
    source = MediaSource(str(clip.path))
    with pytest.raises(SinkError, match=r"use \.mp4, \.mkv"):
        FileSink(tmp_path / f"out{suffix}", source.info, language="pt", source_language="en")
    source.close()
    assert list(tmp_path.iterdir()) == []


def test_a_container_for_another_codec_is_one_sentence(clip: Clip, tmp_path: Path) -> None:
    source = MediaSource(str(clip.path))
    with pytest.raises(SinkError, match="cannot hold h264 video as it is"):
        FileSink(tmp_path / "out.webm", source.info, language="pt", source_language="en")
    source.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_is_one_sentence_and_leaves_nothing(clip: Clip, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with pytest.raises(SinkError, match="No space left on device"):
            copied(clip.path, disk / "out.mp4")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_standard_output_gets_the_file_while_it_is_made(
    clip: Clip, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    source = MediaSource(clip.path)
    sink = FileSink(STANDARD_OUTPUT, source.info, language="pt", source_language="en")
    copy(source, sink)
    source.close()
    out = tmp_path / "out"
    out.write_bytes(capfdbinary.readouterr().out)
    with av.open(str(out)) as media:
        assert media.format.name.startswith("matroska")
        assert [s.metadata.get("language") for s in media.streams.audio] == ["por", "eng"]
        assert sum(1 for _ in media.demux(video=0)) > 24 * int(clip.duration)
