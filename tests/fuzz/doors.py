"""The doors: which function takes their bytes."""

from __future__ import annotations

import importlib
from collections.abc import Callable

DOORS = {
    **dict.fromkeys(("rtmp", "amf0", "rtsp", "websocket", "sdp", "rtp"), "protocols"),
    **dict.fromkeys(("flv", "mpegts", "hls", "annexb", "confined"), "media"),
    **dict.fromkeys(("config", "glossary", "marian"), "files"),
    "http": "http",
}
"""Modules of this folder by door; each is a function there, and one in `seeds`."""


def door(name: str) -> Callable[[bytes], None]:
    """What takes bytes; it raises errors of ours alone."""
    module = importlib.import_module(f"tests.fuzz.{DOORS[name]}")
    taker: Callable[[bytes], None] = getattr(module, name)
    return taker
