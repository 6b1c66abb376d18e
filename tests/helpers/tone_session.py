"""A session of two tones behind the daemon's own doors and pages."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import numpy as np

from server.commands.serve import HttpServer
from server.config import load
from server.http.doors import Doors
from server.sessions.daemon import Daemon
from server.sessions.running import RunningSession
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk
from stream.live.feed import ORIGINAL, Feed, voice_of
from stream.timeline import FRAME, TICK_RATE

LOUD = 0.2
DUCKED = 10 ** (-18 / 20)


class ToneSession:
    """A session whose original is a low tone and whose dub is a high one, both with gaps."""

    def __init__(self) -> None:
        now = asyncio.get_running_loop().time()
        self.key, self.play_token = "publishers-key", None
        voice = voice_of("pt")
        self.feed = Feed(
            lambda time: now + time / TICK_RATE,
            2,
            {ORIGINAL: Broadcast[AudioChunk](), "pt": Broadcast[AudioChunk]()},
            voices={voice: Broadcast[AudioChunk]()},
        )
        self.position = 0

    def check(self) -> None:
        """It never fails."""

    async def play(self) -> None:
        sounds = self.feed.sounds
        while True:
            start = self.position
            await asyncio.sleep(self.feed.due(start) - asyncio.get_running_loop().time())
            time = np.arange(start, start + FRAME) / TICK_RATE
            sounding = LOUD * (time % 2 > 0.2)
            low, high = (sounding * np.sin(2 * np.pi * hertz * time) for hertz in (440, 2000))
            mono = {ORIGINAL: low, "pt.voice": high, "pt": high + DUCKED * low}
            for name, samples in mono.items():
                stereo = np.stack([samples, samples], axis=1).astype(np.float32)
                sounds[name].publish(AudioChunk(start, stereo))
            self.position += FRAME

    def describe(self) -> dict[str, Any]:
        return {
            "id": "live", "state": "live", "error": None, "source": "publish", "language": "en",
            "tracks": list(self.feed.tracks), "connected": True, "connections": 1,
            "position": self.position, "position_s": self.position / TICK_RATE, "delay_s": 5.0,
            "hls": False, "protected": False, "viewers": 1, "dubs": {},
        }  # fmt: skip


@contextlib.asynccontextmanager
async def on_air(*settings: str) -> AsyncIterator[tuple[str, ToneSession]]:
    """The daemon's own doors and pages around a session of tones."""
    daemon = Daemon(load(assignments=("serve.rtmp_port=null", *settings), environment={}))
    session = ToneSession()
    daemon.sessions["live"] = cast(RunningSession, session)
    doors = Doors(daemon)
    server = HttpServer(daemon, doors)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        playing = asyncio.create_task(session.play())
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/", session
        finally:
            playing.cancel()
            session.feed.close()
            await doors.aclose()
            del daemon.sessions["live"]
            await daemon.aclose()
            server.should_exit = True
            await serving
