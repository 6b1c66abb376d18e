"""An RTMP publisher as a connection: FLV through a pipe to the thread that decodes it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from server.rtmp.byte_pipe import BytePipe
from server.rtmp.ingest import SOURCE_OPTIONS
from stream.flow.worker import Worker
from stream.live.source import LAYOUT, ConnectionStatus, LiveBatch, MediaConnection
from stream.media.source import MediaSource


class FlvConnection:
    """A publisher whose FLV comes through a pipe."""

    def __init__(self, name: str) -> None:
        self.pipe = BytePipe()
        self._name = name

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """See ``Connection``."""
        worker = Worker("probe")
        try:
            source = await worker.run(
                lambda: MediaSource(
                    self._name, layout=LAYOUT, file=self.pipe, format="flv", options=SOURCE_OPTIONS
                )
            )
        except BaseException:
            self.pipe.close()
            raise
        finally:
            await worker.aclose()
        async with contextlib.aclosing(MediaConnection(source).batches()) as media:
            async for batch in media:
                yield batch

    async def aclose(self) -> None:
        """Break the pipe."""
        self.pipe.close()

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus("rtmp")
