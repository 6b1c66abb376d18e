"""The daemon's log: text or JSON lines, each with the session that it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

SESSION: ContextVar[str | None] = ContextVar("session", default=None)
"""Id of the session that the current task works for."""

_FIELDS = ("utterance", "stage", "track", "peer")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.__dict__.get("session"):
            entry["session"] = record.__dict__["session"]
        entry |= {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS |= {0x2028: "\\u2028", 0x2029: "\\u2029"}


class _Text(logging.Formatter):
    """One line for each record, whatever strangers have put into it; tracebacks are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.translate(_CONTROLS)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"    {line.translate(_CONTROLS)}" for line in lines)


TEXT = _Text("%(asctime)s %(levelname)-7s %(session)s %(name)s: %(message)s")


def _note_session(record: logging.LogRecord) -> bool:
    record.session = SESSION.get() or ""
    return True


def configure(*, as_json: bool, verbose: bool) -> None:
    """Log to standard error from here on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_note_session)
    if as_json:
        handler.setFormatter(_Json())
    else:
        handler.setFormatter(_Text("%(asctime)s %(levelname)-7s %(session)s %(name)s: %(message)s"))
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True
    )
    for noisy in ("aioice", "aiortc", "asyncio", "faster_whisper", "httpcore", "libav"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
