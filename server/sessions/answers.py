"""What was answered to which question, in a file that survives its process being killed."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from stream.flow.worker import Worker

log = logging.getLogger(__name__)


class Answers:
    """Answers by their questions.

    Args:
        path: of the file.
        resume: whether to use what is there already; otherwise it is removed.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        if not resume:
            path.unlink(missing_ok=True)
        self._worker = Worker("journal")
        self._broken = False
        self.asked = self.found = 0
        """Questions, and those whose answers were known already."""
        try:
            self._store = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._store.execute("PRAGMA synchronous = OFF")  # against a killed process, not a crash
            self._store.execute(
                "CREATE TABLE IF NOT EXISTS answers (question BLOB PRIMARY KEY, answer BLOB)"
            )
        except sqlite3.Error as error:
            self._give_up(error)

    async def get(self, question: bytes) -> bytes | None:
        """The answer, if it is known."""
        if self._broken:
            return None
        answer = await self._worker.run(lambda: self._get(question))
        self.asked += 1
        self.found += answer is not None
        return answer

    async def put(self, question: bytes, answer: bytes) -> None:
        """Remember an answer; a disk that is full costs the memory and not the dub."""
        if not self._broken:
            await self._worker.run(lambda: self._put(question, answer))

    async def absorb(self, others: Iterable[Path]) -> None:
        """Know what other journals know; one that cannot be read is left out."""
        for path in others:
            if not self._broken:
                await self._worker.run(partial(self._absorb, path))

    async def aclose(self, *, forget: bool) -> None:
        """Close the file; ``forget`` removes it."""
        await self._worker.aclose()
        if not self._broken:
            self._store.close()
        if forget:
            self.path.unlink(missing_ok=True)

    def _get(self, question: bytes) -> bytes | None:
        try:
            row = self._store.execute(
                "SELECT answer FROM answers WHERE question = ?", (question,)
            ).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return None if row is None else bytes(row[0])

    def _put(self, question: bytes, answer: bytes) -> None:
        try:
            self._store.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (question, answer))
        except sqlite3.Error as error:
            self._give_up(error)

    def _absorb(self, path: Path) -> None:
        try:
            self._store.execute("ATTACH ? AS other", (str(path),))
            self._store.execute("INSERT OR IGNORE INTO answers SELECT * FROM other.answers")
            self._store.execute("DETACH other")
        except sqlite3.Error as error:
            log.warning("%s was not read: %s", path, error)

    def _give_up(self, error: sqlite3.Error) -> None:
        self._broken = True
        log.warning("the job cannot be resumed if it fails: %s: %s", self.path, error)


def question(fingerprint: bytes, *parts: object) -> bytes:
    """The key of a question: the engine that is asked, and all that it is asked."""
    digest = hashlib.sha256(fingerprint)
    for part in parts:
        written = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(written).to_bytes(8, "big") + written)
    return digest.digest()
