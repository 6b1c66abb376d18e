"""An RTMP publisher as a connection: FLV through a pipe to the thread that decodes it."""

from __future__ import annotations

from collections.abc import Callable

from server.access import Admit, Choose, Denied, whichever
from server.rtmp.byte_pipe import BytePipe
from server.rtmp.ingest import Authorise
from stream.live.published import PublishedConnection
from stream.media.live_input import Reader
from stream.media.opening import NETWORK_CODECS
from stream.media.options import ANY, InputOptions

SOURCE_OPTIONS = {
    "analyzeduration": "1000000",
    "fpsprobesize": "0",
    "codec_whitelist": NETWORK_CODECS,
}
"""What suffices to find out what a publication holds: a second of it."""


def publications(
    app: str,
    find: Callable[[str], str | None],
    admit: Admit,
    reader: Reader = "thread",
    choose: Choose = whichever,
) -> Authorise:
    """Lets publishers into the session whose key they show; for ``RtmpIngest``.

    Args:
        app: first part of the path that they use.
        find: the session's name by its key, ``None`` if it is nobody's.
        admit: lets a publisher in.
        reader: where their media is read.
        choose: which of several sounds is dubbed.
    """

    async def authorise(given: str, key: str) -> BytePipe:
        session = find(key)
        if session is None or given != app:
            raise Denied(403, "there is no such stream, or the key is wrong")
        connection = FlvConnection(f"RTMP to session {session}", reader, *choose(session))
        try:
            await admit(session, connection)
        except BaseException:
            await connection.aclose()
            raise
        return connection.pipe

    return authorise


class FlvConnection(PublishedConnection):
    """A publisher whose FLV comes through a pipe.

    Args:
        name: of the source, in messages.
        reader: where it is read.
        choice: which of its sounds is dubbed.
        language: that is spoken, if it is known.
    """

    def __init__(
        self,
        name: str,
        reader: Reader = "thread",
        choice: InputOptions = ANY,
        language: str | None = None,
    ) -> None:
        self.pipe = BytePipe()
        super().__init__("rtmp", name, self.pipe, "flv", SOURCE_OPTIONS, reader, choice, language)
