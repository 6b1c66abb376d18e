"""``livedub listen`` as its users run it: a process of its own, against a server that may go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk
from stream.live.feed import Feed
from stream.media.source import MediaSource
from stream.timeline import TICK_RATE
from tests.helpers.feeds import _play as play
from tests.helpers.ws_server import Line, serving, talk


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float32]]:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    return path, talk(path, seconds=4)


async def listen(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from server.cli import run; run()", "listen"),  # as the entry point does
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )


class OnAir:
    """A session whose feed begins a while after the first listener has come.

    How long a command takes to start on a busy machine does not matter then.
    """

    def __init__(self, path: Path, delay: float) -> None:
        self.heard = asyncio.Event()
        self._delay = delay
        self.programmes = Programmes(self._find)
        self._source = MediaSource(str(path))
        self._feed: Feed | None = None
        self._playing: asyncio.Task[None] | None = None

    def _find(self, session: str) -> Feed:
        if session != "live":
            raise LookupError
        if self._feed is None:
            zero = asyncio.get_running_loop().time() + self._delay
            tracks = {name: Broadcast[AudioChunk]() for name in ("original", "pt")}
            voices = {"pt.voice": Broadcast[AudioChunk]()}
            self._feed = Feed(lambda time: zero + time / TICK_RATE, 2, tracks, voices=voices)
            self._playing = asyncio.create_task(play(self._feed, self._source, ("pt",)))
            self.heard.set()
        return self._feed

    async def aclose(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        await self.programmes.aclose()
        self._source.close()


@contextlib.asynccontextmanager
async def on_air(path: Path, delay: float = 0.5) -> AsyncIterator[OnAir]:
    session = OnAir(path, delay)
    try:
        yield session
    finally:
        await session.aclose()


def read(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
        planar = file.streams.audio[0].format.is_planar
    joined = np.concatenate(frames, axis=1)
    sound = joined.T if planar else joined.reshape(-1, 2)
    return sound.astype(np.float32) / (32768 if sound.dtype == np.int16 else 1)


async def test_a_session_into_a_file_with_captions(spoken, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken
    out = tmp_path / "out.wav"

    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(f"{url}/sessions/live/listen", "--out", str(out))
        _, shown = await command.communicate()
    assert command.returncode == 0, shown
    captions = [
        line
        for second in range(4)
        for line in (f"0:0{second}  en  second {second}", f"0:0{second}  pt  segundo {second}")
    ]
    assert shown.decode().splitlines() == captions
    assert np.array_equal(read(out), -samples)


async def test_nothing_is_lost_when_the_server_goes_and_comes_back(spoken, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken
    out = tmp_path / "out.wav"

    async with on_air(path) as session:
        router = listen_router(session.programmes, Gate())
        async with serving(router) as url:
            command = await listen(f"{url}/sessions/live/listen", "--out", str(out))
            await session.heard.wait()
        await asyncio.sleep(1.5)
        await asyncio.sleep(0.7)
        async with serving(router, port=int(url.rpartition(":")[2])):
            _, shown = await command.communicate()
    assert command.returncode == 0, shown
    assert b"Connected again." in shown
    assert np.array_equal(read(out), -samples)


async def test_nothing_is_lost_when_the_line_is_cut(spoken, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken
    out = tmp_path / "out.wav"

    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        line = Line(url)
        await line.open()
        address = f"{line.url}/sessions/live/listen"
        command = await listen(address, "--out", str(out), "--format", "pcm_f32le")
        await session.heard.wait()
        for away in (0.3, 0.8):
            await asyncio.sleep(1.2)
            line.cut()
            await asyncio.sleep(away)
            await line.open()
        _, shown = await command.communicate()
        line.cut()
    assert command.returncode == 0, shown
    assert b"Connected again." in shown
    assert np.array_equal(read(out), -samples)


async def test_nothing_is_lost_when_the_line_is_cut_before_the_first_frame(  # type: ignore[no-untyped-def]
    spoken, tmp_path: Path
) -> None:
    path, samples = spoken
    out = tmp_path / "out.wav"

    async with (
        on_air(path, delay=2) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        line = Line(url)
        await line.open()
        command = await listen(f"{line.url}/sessions/live/listen", "--out", str(out))
        await session.heard.wait()
        await asyncio.sleep(1.5)
        line.cut()
        await asyncio.sleep(1)
        await line.open()
        _, shown = await command.communicate()
        line.cut()
    assert command.returncode == 0, shown
    assert np.array_equal(read(out), -samples)


async def test_another_feed_goes_on_after_silence_as_long_as_the_server_was_away(  # type: ignore[no-untyped-def]
    spoken, tmp_path: Path
) -> None:
    path, samples = spoken
    out = tmp_path / "out.wav"

    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(f"{url}/sessions/live/listen", "--out", str(out))
        await session.heard.wait()
        await asyncio.sleep(1.5)
    port = int(url.rpartition(":")[2])
    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate()), port=port),
    ):
        _, shown = await command.communicate()
    assert command.returncode == 0, shown
    sound = read(out)
    silent = np.flatnonzero(~sound.any(axis=1))
    longest = max(np.split(silent, np.flatnonzero(np.diff(silent) != 1) + 1), key=len)
    before, after = sound[: longest[0]], sound[longest[-1] + 1 :]
    assert len(before) > TICK_RATE / 4
    assert np.array_equal(after, -samples)
    # Away for at least as long as the second feed took to begin.
    assert 0.5 < len(longest) / TICK_RATE < 5


async def test_opus_into_an_opus_file(spoken, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken
    out = tmp_path / "out.opus"

    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(
            f"{url}/sessions/live/listen",
            *("--out", str(out), "--format", "opus", "--track", "original", "--no-captions"),
        )
        _, shown = await command.communicate()
    assert (command.returncode, shown) == (0, b"")
    sound = read(out)
    # The received stream begins 312 samples early: the encoder's look-ahead.
    assert len(sound) == len(samples) + 312
    sound, wanted = sound[312 + 4800 :], samples[4800:]
    error = np.sqrt(np.mean((sound - wanted) ** 2))
    assert error < 0.2 * np.sqrt(np.mean(wanted**2))


async def test_ctrl_c_finishes_the_file(spoken, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken
    out = tmp_path / "out.flac"

    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(f"{url}/sessions/live/listen", "--out", str(out))
        await session.heard.wait()
        await asyncio.sleep(1.5)
        command.send_signal(signal.SIGINT)
        _, shown = await command.communicate()
        assert command.returncode == 130
        assert b"Traceback" not in shown
    sound = read(out)
    assert TICK_RATE / 4 < len(sound) < 3 * TICK_RATE
    assert any(
        np.array_equal(sound, -samples[at : at + len(sound)]) for at in range(0, 96_000, 960)
    )
    assert list(tmp_path.iterdir()) == [out]


async def test_standard_output_carries_samples(spoken) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken

    async with (
        on_air(path) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(f"{url}/sessions/live/listen", "--out", "-", "--no-captions")
        sound, shown = await command.communicate()
    assert (command.returncode, shown) == (0, b"")
    assert sound == (-samples * 32768).astype("<i2").tobytes()


async def test_playing(spoken) -> None:  # type: ignore[no-untyped-def]
    if shutil.which("ffplay") is None:
        pytest.skip("ffplay is not installed")

    async with (
        on_air(spoken[0]) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(
            f"{url}/sessions/live/listen", "--play", "--no-captions", SDL_AUDIODRIVER="dummy"
        )
        _, shown = await command.communicate()
    assert (command.returncode, shown) == (0, b"")


async def test_no_sound_device_is_one_sentence(spoken) -> None:  # type: ignore[no-untyped-def]
    if shutil.which("ffplay") is None:
        pytest.skip("ffplay is not installed")

    async with (
        on_air(spoken[0]) as session,
        serving(listen_router(session.programmes, Gate())) as url,
    ):
        command = await listen(
            f"{url}/sessions/live/listen", "--play", "--no-captions", SDL_AUDIODRIVER="no-such"
        )
        _, shown = await command.communicate()
    said = shown.decode()
    assert command.returncode == 2 and said.count("\n") == 1, said
    assert said.startswith("livedub: ffplay does not play (") and "--out" in said
