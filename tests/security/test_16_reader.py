"""Whoever takes over the reader of a stranger's media has no more than that process."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtmp.connection import SOURCE_OPTIONS, FlvConnection
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.source import LAYOUT
from stream.media.confined import reader
from stream.media.confined.reader import ConfinedReader
from stream.media.confined.records import (
    BrokenOffError,
    pack_format,
    pack_picture,
    pack_sound,
    unpack_format,
    unpack_picture,
    unpack_sound,
)
from stream.media.live_input import LiveInput
from stream.media.opening import SourceError
from tests.helpers.streams import small_source


@pytest.fixture(scope="module")
def flv(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("flv") / "a.flv"
    return small_source(path, length=1).read_bytes()


def published(data: bytes) -> LiveInput:
    return LiveInput("it", LAYOUT, options=SOURCE_OPTIONS, format="flv", file=io.BytesIO(data))


def gone(pid: int) -> bool:
    """Whether a process is neither running nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


def test_it_reads_what_is_read_here_and_has_nothing_else(
    flv: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_SERVE_TOKEN", "a secret of the daemon's")
    here = list(published(flv).open())
    there = ConfinedReader(published(flv))
    process = Path(f"/proc/{there.pid}")
    names = {one.partition(b"=")[0] for one in (process / "environ").read_bytes().split(b"\0")}
    assert names <= {b"", *(n.encode() for n in (*reader._INHERITED, *reader._ONE_THREAD))}
    assert {path.name for path in (process / "fd").iterdir()} == {"0", "1", "2"}
    assert len(list((process / "task").iterdir())) == 1
    limits = (process / "limits").read_text()
    for limit in ("Max open files", "Max processes", "Max file size", "Max core file size"):
        (line,) = (line for line in limits.splitlines() if line.startswith(limit))
        assert line.removeprefix(limit).split()[:2] == ["0", "0"], line
    assert "NoNewPrivs:\t1" in (process / "status").read_text()
    received = list(there)
    there.close()
    assert gone(there.pid)
    assert len(received) == len(here)
    for one, other in zip(received, here, strict=True):
        if isinstance(one, AudioChunk) and isinstance(other, AudioChunk):
            assert one.start == other.start and np.array_equal(one.samples, other.samples)
        else:
            assert one == other


def test_no_file_socket_or_memory_is_to_be_had_afterwards() -> None:
    tried = """
import os, socket
from stream.media.confined.limits import give_up, MEMORY
give_up(opens=False, threads=False)
for name, attempt in {
    "file": lambda: open("/etc/passwd"), "socket": socket.socket, "pipe": os.pipe,
    "copy": lambda: os.dup(0), "memory": lambda: bytearray(MEMORY),
}.items():
    try:
        attempt()
    except (OSError, MemoryError):
        print(name)
"""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-S", "-c", tried],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["file", "socket", "pipe", "copy", "memory"], done.stderr


async def test_a_reader_that_is_killed_ends_its_connection_and_nothing_else(flv: bytes) -> None:
    connection = FlvConnection("it", "process")
    await connection.pipe.write(flv)
    batches = connection.batches()
    await anext(batches)
    media = connection._media
    assert isinstance(media, ConfinedReader)
    media.leave()
    with pytest.raises(SourceError, match=f"no further.*signal {int(signal.SIGKILL)}"):
        async for _ in batches:
            pass
    assert gone(media.pid)


def test_whoever_gives_up_leaves_no_process(flv: bytes) -> None:
    there = ConfinedReader(published(flv))
    pid = there.pid
    del there
    assert gone(pid)


LIES = {
    "a record that has no end": b"P\xff\xff\xff\xff",
    "an unknown record": b"?\0\0\0\0",
    "a picture without a format": b"P\0\0\0\x12" + bytes(18),
    "sound after a gap": b"A\0\0\0\x10" + struct.pack(">q", 1 << 40) + bytes(8),
    "half of a sample": b"A\0\0\0\x0d" + bytes(13),
    "no media time": b"F\0\0\0\x0e" + struct.pack(">II?B", 1, 1, False, 4) + b"h264"
    b"P\0\0\0\x12" + struct.pack(">qq?", 1 << 62, 0, True) + b"x",
    "reading what is not open": b"C\0\0\0\x11" + struct.pack(">cIqi", b"r", 7, 10, 0),
    "writing": b"C\0\0\0\x11" + struct.pack(">cIqi", b"w", 0, 10, 0),
    "fetching": b"C\0\0\0\x13" + struct.pack(">cIqi", b"o", 0, 0, 0) + b"{}",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_reader_says_is_not_believed(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = b'{"segmented": false, "notes": []}'
    said = b"O" + len(opened).to_bytes(4, "big") + opened + LIES[lie]
    monkeypatch.setattr(
        reader, "_START", f"import os, time; os.write(0, {said!r}); os.read(0, 1 << 20)"
    )
    there = ConfinedReader(published(b""))
    with pytest.raises(SourceError, match="it is read no further"):
        list(there)
    there.close()
    assert gone(there.pid)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "20 s of work give nothing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "by signal 11"),
        ("raise SystemExit(3)", "with status 3"),
        ("import os, signal; os.write(0, b'O\\0\\0\\0\\2[]'); signal.pause()", "fails"),
    ],
)
def test_why_it_ended_is_told(does: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_START", does)
    with pytest.raises(SourceError, match=f"^it is read no further.*{said}"):
        ConfinedReader(published(b""))


TIMES = st.integers(-(1 << 52), 1 << 52)


@given(st.binary(max_size=40), st.binary(min_size=1, max_size=40), TIMES, TIMES, st.booleans())
def test_pictures_come_as_they_were(
    sets: bytes, data: bytes, time: int, shown: int, key: bool
) -> None:
    format_ = PictureFormat("h264", sets, 64, 32, reordered=key)
    there = unpack_format(pack_format(format_))
    picture = PicturePacket(format_, time, shown, key, data)
    assert unpack_picture(b"".join(pack_picture(picture)), there) == picture


@given(st.binary(max_size=60), st.integers(0, 100))
def test_no_bytes_make_more_than_one_sentence(data: bytes, due: int) -> None:
    format_ = PictureFormat("h264", b"", 2, 2)
    for attempt in (
        lambda: unpack_format(data),
        lambda: unpack_picture(data, format_),
        lambda: unpack_sound(data, 2, due),
    ):
        try:
            attempt()
        except BrokenOffError as error:
            assert str(error)


def test_samples_that_are_no_numbers_are_silence() -> None:
    chunk = AudioChunk(5, np.array([[np.nan, 0.5]], np.float32))
    assert unpack_sound(b"".join(pack_sound(chunk)), 2, 5).samples.tolist() == [[0.0, 0.5]]
