"""An RTMP publisher as a connection: FLV through a pipe to the thread that decodes it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from server.access import Admit
from server.rtmp.byte_pipe import BytePipe
from server.rtmp.ingest import Authorise
from stream.live.source import LAYOUT, ConnectionStatus, MediaConnection
from stream.media.source import MediaSource

SOURCE_OPTIONS = {"analyzeduration": "1000000", "fpsprobesize": "0"}
"""What suffices to find out what a publication holds: a second of it."""

_log = logging.getLogger(__name__)


def publications(app: str, find: Callable[[str], str | None], admit: Admit) -> Authorise:
    """Lets publishers into the session whose key they show; for ``RtmpIngest``.

    Args:
        app: first part of the path that they use.
        find: the session's name by its key, ``None`` if it is nobody's.
        admit: lets a publisher in.
    """

    async def authorise(given: str, key: str) -> BytePipe | None:
        session = find(key)
        if session is None or given != app:
            return None
        connection = FlvConnection(f"RTMP to session {session}")
        if not await admit(session, connection):
            return None
        _log.info("session %s: a publisher came by RTMP", session)
        return connection.pipe

    return authorise


class FlvConnection(MediaConnection):
    """A publisher whose FLV comes through a pipe.

    Args:
        name: of the source, in messages.
    """

    def __init__(self, name: str) -> None:
        self.pipe = BytePipe()
        super().__init__(
            lambda: MediaSource(
                name, layout=LAYOUT, file=self.pipe, format="flv", options=SOURCE_OPTIONS
            )
        )

    async def aclose(self) -> None:
        """Break the pipe; what has been read of it is still given out."""
        self.pipe.close()

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus("rtmp")
