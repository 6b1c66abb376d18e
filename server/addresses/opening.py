"""What FFmpeg may open for a source, by its scheme: containers, protocols and codecs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from server.addresses.http_reader import HttpReader
from server.addresses.pinned import pinned
from server.addresses.reach import ANSWER_TIMEOUT_S, Reach
from server.addresses.relay import Relay, relay_to
from stream.media.opening import NETWORK_CODECS
from stream.media.readable import Fetch

SCHEMES = ("rtmp", "rtmps", "rtsp", "http", "https", "udp", "srt")
"""What a session may pull from."""

PUSH_SCHEMES = ("rtmp", "rtmps", "udp", "srt")
"""What it may push to."""

SEGMENT_TIMEOUT_S = 90.0
"""The same for what comes through HTTP, where HLS may wait for a segment to be made."""

PROBE = {"probesize": "2000000", "analyzeduration": "1000000", "fpsprobesize": "0"}
"""The first second of a live stream is enough to identify it (bytes, microseconds)."""

FILE_FORMATS = (
    "mov,matroska,mpegts,mpeg,flv,avi,asf,wav,w64,caf,aiff,au,mp3,aac,ac3,eac3,flac,ogg,mxf,rm,dv"
)
"""Containers that a file may have: none that names other files."""

_HTTP = {
    "format_whitelist": "hls,mpegts,mov,flv,live_flv,matroska,mpeg,aac,ac3,eac3,mp3,ogg,flac,wav,"
    "webvtt",
    # None is opened by FFmpeg: what it asks for is fetched by an `HttpReader`.
    "protocol_whitelist": "http,https,crypto,data",
    "http_persistent": "0",
    "http_multiple": "0",
    # Segments may have any name: they lead to HTTP alone.
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}

_BY_SCHEME = {
    "rtmp": ("flv", "rtmp,tcp"),
    "rtmps": ("flv", "rtmp,rtmps,tls,tcp"),
    # One connection that passes firewalls and loses nothing; UDP if the server has no other.
    "rtsp": ("rtsp", "rtsp,rtp,udp,tcp"),
    "udp": ("mpegts", "udp"),
}
"""Container and protocols of what FFmpeg opens itself."""

_FILE = {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS}


@dataclass(frozen=True, slots=True)
class Opening:
    """How a source is opened.

    Attributes:
        address: a file's path, or what FFmpeg is given.
        options: of FFmpeg, whitelists included.
        format: FFmpeg's name of the container where there is only one.
        timeout: seconds to wait for opening, and for reading; ``None`` for files.
        fetch: reads every address that the container names, itself included.
        relay: that the address leads through, listening; whoever opens the source closes it.
    """

    address: str | Path
    options: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    timeout: tuple[float, float] | None = None
    fetch: Fetch | None = None
    relay: Relay | None = None


def opening(url: str, reach: Reach, *, verify: bool = True) -> Opening:
    """How a source is opened; blocks while its host is resolved.

    Args:
        url: a file's path, ``file:`` before it or not, or a URL.
        reach: where the session may connect to.
        verify: whether certificates are checked.

    Raises:
        AddressError: if it leads out of reach.
    """
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme not in SCHEMES:
        own = reach.everywhere
        return Opening(Path(url.removeprefix("file:")), {} if own else dict(_FILE))
    patience = (ANSWER_TIMEOUT_S, ANSWER_TIMEOUT_S)
    options = {**PROBE, "codec_whitelist": NETWORK_CODECS}
    if scheme in ("http", "https"):
        fetch = HttpReader(reach, ANSWER_TIMEOUT_S, verify=verify)
        patience = (ANSWER_TIMEOUT_S, SEGMENT_TIMEOUT_S)
        return Opening(url, options | _HTTP, None, patience, fetch)
    container, protocols = _BY_SCHEME[scheme]
    options |= {"format_whitelist": container, "protocol_whitelist": protocols}
    if scheme == "rtsp":
        options["rtsp_flags"] = "prefer_tcp"
    known = pinned(url, reach, verify=verify)
    options |= known.options
    if not known.relayed:
        return Opening(known.url, options, container, patience)
    relay = relay_to(url, reach, verify=verify)
    # Nothing but the relay may be connected to, and no datagrams sent.
    options |= {"rtsp_transport": "tcp"} if scheme == "rtsp" else {}
    options["protocol_whitelist"] = f"{'rtsp,rtp' if scheme == 'rtsp' else 'rtmp'},tcp"
    return Opening(relay.address(url), options, container, patience, relay=relay)
