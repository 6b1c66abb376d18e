"""The tokens that give rights: the daemon's own, and those that are given out, known by hash."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol

from annotated_types import Len
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from stream.errors import UserError

Right = Literal["play", "publish", "control"]

ALL: frozenset[Right] = frozenset(("play", "publish", "control"))

TICKET_S = 7 * 86400
"""Seconds for which the addresses of HLS can be used that a token has led to."""


class Keyed(Protocol):
    """A session, as far as access to it goes."""

    id: str
    """Its name."""
    key: str
    """What publishers must present."""
    play_token: str | None
    """What viewers must present, if anything."""


class Grant(BaseModel):
    """A token that has been given out, known by its SHA-256 alone.

    Attributes:
        sha256: of the token, as hexadecimal digits.
        rights: that it gives; ``control`` gives all.
        sessions: names of those that it is for; ``None`` for all, and for creating them.
        expires: when it ends, with its time zone.
    """

    model_config = {"extra": "forbid", "frozen": True}
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rights: Annotated[list[Right], Len(1, 3)]
    sessions: list[str] | None = None
    expires: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """What it is called; it gives no right."""
        return self.sha256[:12]

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.expires is not None and self.expires <= datetime.now(UTC)

    def gives(self, token: str, session: Keyed | None) -> frozenset[Right]:
        """The rights that a token has by this one now, in a session or in the daemon."""
        known = same(hashlib.sha256(token.encode()).hexdigest(), self.sha256)
        of_session = self.sessions is None or (session is not None and session.id in self.sessions)
        if not known or not of_session or self.over:
            return frozenset()
        return ALL if "control" in self.rights else frozenset(self.rights)


class _Kept(BaseModel):
    """What is kept in the file of tokens."""

    model_config = {"extra": "forbid"}
    tokens: list[Grant] = []
    revoked: list[str] = []


class Tokens:
    """Every token, and what it gives; those given out can be taken back at any time.

    Args:
        own: the daemon's, which gives every right; ``None`` if it has none.
        configured: those that the operator has given out in the configuration.
        path: where those are kept that are made, and taken back, while the daemon runs.

    Attributes:
        guarded: whether controlling the daemon takes a token. Taking tokens back never opens it.

    Raises:
        UserError: if the file cannot be read.
    """

    def __init__(
        self, own: str | None = None, configured: Iterable[Grant] = (), path: Path | None = None
    ) -> None:
        self._own, self._configured, self._path = own, list(configured), path
        self._kept = _read(path)
        self.guarded = own is not None or any("control" in one.rights for one in self._configured)
        self._season = secrets.token_hex(16)
        self._writing = asyncio.Lock()

    def rights(self, given: str | None, session: Keyed | None) -> frozenset[Right]:
        """What a token gives in a session, or in the daemon itself."""
        if given is None:
            return frozenset()
        found: set[Right] = set()
        if self._own is not None and same(given, self._own):
            found |= ALL
        for grant in self.grants():
            found |= grant.gives(given, session)
        if session is not None:
            if same(given, session.key):
                found.add("publish")
            if session.play_token is not None and (
                same(given, session.play_token)
                or is_viewer_token(given, session.play_token, session.id)
            ):
                found.add("play")
        return frozenset(found)

    def grants(self) -> Sequence[Grant]:
        """Those that have been given out, and neither ended nor been taken back."""
        revoked = set(self._kept.revoked)
        every = [*self._configured, *self._kept.tokens]
        return [one for one in every if one.sha256 not in revoked and not one.over]

    def make(
        self, rights: list[Right], sessions: list[str] | None, expires: datetime | None
    ) -> tuple[str, Grant]:
        """Give out another one; only this tells what it is."""
        token = secrets.token_urlsafe(24)
        sha256 = hashlib.sha256(token.encode()).hexdigest()
        grant = Grant(sha256=sha256, rights=rights, sessions=sessions, expires=expires)
        self._kept.tokens = [one for one in self._kept.tokens if not one.over] + [grant]
        return token, grant

    def revoke(self, id_: str) -> Grant | None:
        """Take one back, and every ticket with it; ``None`` if there is none of that name."""
        found = next((one for one in self.grants() if one.id == id_), None)
        if found is None:
            return None
        self._kept.tokens = [one for one in self._kept.tokens if one.sha256 != found.sha256]
        if found in self._configured:
            self._kept.revoked.append(found.sha256)
        self._season = secrets.token_hex(16)
        return found

    async def save(self) -> None:
        """Keep those that were made, and taken back, for the next start.

        Raises:
            OSError: if they cannot be written.
        """
        if self._path is None:
            return
        async with self._writing:
            text = self._kept.model_dump_json(indent=2)
            await asyncio.to_thread(_write, self._path, text)

    def ticket(self, session: Keyed) -> str | None:
        """What stands in the path of addresses for who may watch a session, if it is protected.

        Stock players ask for the segments of a playlist without header or query, and keep a path
        in relative addresses. A ticket gives the right to play, ends, and tells no secret.
        """
        if session.play_token is None:
            return None
        until = int(time.time()) + TICKET_S
        return viewer_token(self._ticket_secret(session.play_token), session.id, until)

    def is_ticket(self, held: str, session: Keyed) -> bool:
        """Whether it is one, or a viewer's token, which may stand in the same place."""
        if session.play_token is None:
            return False
        secrets_ = (self._ticket_secret(session.play_token), session.play_token)
        return any(is_viewer_token(held, secret, session.id) for secret in secrets_)

    def _ticket_secret(self, play_token: str) -> str:
        return f"{self._season} {play_token}"


def same(given: str | None, wanted: str) -> bool:
    """Whether a secret is right, compared in constant time."""
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def viewer_token(secret: str, session: str, until: int) -> str:
    """A token that lets its holder play one session for some time.

    It is void once the session has another ``play_token``.

    Args:
        secret: the session's ``play_token``, or what a ticket is made with.
        session: its name.
        until: Unix time at which it ends.
    """
    code = hmac.new(secret.encode(), f"view {session} {until}".encode(), hashlib.sha256)
    return f"v1.{until}.{code.hexdigest()}"


def is_viewer_token(given: str, secret: str, session: str) -> bool:
    """Whether a token is one of ``viewer_token`` that has not ended."""
    until = re.match(r"v1\.(\d{1,12})\.", given)
    if until is None or int(until[1]) <= time.time():
        return False
    return same(given, viewer_token(secret, session, int(until[1])))


def _read(path: Path | None) -> _Kept:
    if path is None:
        return _Kept()
    try:
        return _Kept.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _Kept()
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "it is not what the daemon has written"
        raise UserError(f"serve.tokens_file {path} cannot be read: {reason}") from None


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
