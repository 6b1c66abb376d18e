"""A source opened as a session would open it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import av
import numpy as np

from server.addresses.opening import opening
from server.addresses.reach import EVERYWHERE, Reach
from server.config import Config
from server.sessions.options import ServeConfig
from server.sessions.spec import SessionSpec
from server.sessions.terms import Terms
from stream.frames import AudioChunk
from stream.media.source import MediaSource


def terms(*hosts: str, files: Path | None = None) -> Terms:
    """What a daemon with these settings lets sessions of the API ask for."""
    return Terms(Config(serve=ServeConfig(hosts=list(hosts), files=files)))


def asked(source: str, terms_: Terms) -> str:
    """The source of a session of the API, as the daemon keeps it."""
    return terms_.checked(SessionSpec(source=source)).source


def samples(source: str, reach: Reach = EVERYWHERE, *, verify: bool = True) -> int:
    """How much sound a source gives, if it is opened by whoever has that reach."""
    chosen = opening(source, reach, verify=verify)
    with contextlib.ExitStack() as closing:
        if chosen.relay is not None:
            closing.callback(chosen.relay.close)
        media = MediaSource(
            chosen.address,
            options=chosen.options,
            format=chosen.format,
            timeout=chosen.timeout,
            fetch=chosen.fetch,
            live=True,
        )
        closing.callback(media.close)
        return sum(len(item.samples) for item in media if isinstance(item, AudioChunk))


def tone(path: Path, container: str | None = None, codec: str = "aac", length: float = 1) -> Path:
    """A file with a tone."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000, layout="mono")
        wave = 0.3 * np.sin(np.arange(int(48_000 * length)) * 2 * np.pi * 440 / 48_000)
        planar = "fltp" if codec == "aac" else "s16"
        data = wave.astype(np.float32) if codec == "aac" else (wave * 32767).astype(np.int16)
        size = 1024
        for at in range(0, len(data), size):
            frame = av.AudioFrame.from_ndarray(data[None, at : at + size], planar, "mono")
            frame.sample_rate, frame.pts = 48_000, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
