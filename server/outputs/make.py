"""The outputs that a session was asked to have."""

from __future__ import annotations

from collections.abc import Iterable

from server.hls.output import HlsOutput
from server.outputs.push import RtmpPush
from server.outputs.recording import Recording
from server.sessions.running import Output, RunningSession


def outputs(session: RunningSession) -> Iterable[Output]:
    """Where a session goes beside its viewers."""
    if session.spec.hls:
        yield HlsOutput(session.feed, session.folder)
    for output in session.spec.outputs:
        if output.url is not None:
            yield RtmpPush(session.feed, output.track or session.targets[0], output.url)
        else:
            assert output.record is not None
            folder = session.recordings
            folder.mkdir(parents=True, exist_ok=True)
            chosen = (output.track,) if output.track is not None else None
            yield Recording(session.feed, folder / output.record, chosen)
