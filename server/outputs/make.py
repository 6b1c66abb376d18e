"""The outputs that a session was asked to have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from server.addresses.reach import Reach
from server.hls.output import HlsOutput
from server.outputs.push import Push
from server.outputs.recording import Recording
from server.outputs.tracks import every_track
from server.outputs.whip_push import WhipPush
from server.sessions.spec import SessionSpec
from server.webrtc.whip_client import Endpoint
from stream.live.feed import ORIGINAL, Feed
from stream.live.output import Output


def outputs(
    spec: SessionSpec, feed: Feed, hls: Path, recordings: Path, reach: Reach
) -> Iterable[Output]:
    """Where a session goes beside its viewers.

    Args:
        spec: what was asked for, checked.
        feed: what the session shows.
        hls: folder of its HLS files.
        recordings: folder of its recordings.
        reach: where it may connect to.
    """
    if spec.hls:
        yield HlsOutput(feed, hls)
    first_dub = next(name for name in feed.tracks if name != ORIGINAL)
    for output in spec.outputs:
        if output.whip is not None:
            endpoint = Endpoint(output.whip, output.token, reach, spec.tls_verify)
            yield WhipPush(feed, next(iter(output.names), first_dub), endpoint)
        elif output.url is not None:
            tracks = every_track(feed) if output.tracks == "all" else output.names or (first_dub,)
            yield Push(feed, tracks, output.url, reach, verify=spec.tls_verify)
        else:
            assert output.record is not None
            yield Recording(feed, recordings / output.record, output.names or None)
