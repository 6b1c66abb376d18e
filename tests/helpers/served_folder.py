"""A folder behind an HTTP server that notes what it was asked for."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Served:
    """Where it is, and the paths asked for so far."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve a folder while the context lasts."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, directory=str(folder), **named)

        def log_message(self, format: str, *values: Any) -> None: ...

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def playlist(*segments: str, seconds: float, discontinuous: bool = False) -> str:
    """A finished media playlist."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{round(seconds)}"]
    for number, segment in enumerate(segments):
        if discontinuous and number:
            lines.append("#EXT-X-DISCONTINUITY")
        lines += [f"#EXTINF:{seconds},", segment]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])
