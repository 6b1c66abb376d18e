"""H.264 in offers and answers: which profile a peer sends or takes (RFC 6184, section 8).

aiortc knows two baseline profiles and wants to see one of them, letter by letter. It neither
encodes nor decodes here, so it is shown what it knows, and the peer what was agreed on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from stream.frames import PictureFormat
from stream.media.annexb import SPS, split_units, unit_type

BASELINE = 66
"""The profile that every decoder has."""

BASELINE_ID = "42e01f"
"""Constrained baseline, which is what a peer of WebRTC has that says nothing of it."""

HIGH = 100
"""The one that most encoders make."""

RANKS = {profile: rank for rank, profile in enumerate((BASELINE, 77, HIGH, 110, 122, 244))}
"""Profiles by their ``profile_idc``: a decoder of one decodes what comes before it in this order
(baseline, main, high, high 10, high 4:2:2, high 4:4:4 predictive)."""

_KNOWN = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_UNKNOWN = "packetization-mode=2"


@dataclass(frozen=True, slots=True)
class H264:
    """One of the ways in which a peer offers H.264.

    Attributes:
        payload_type: the RTP payload type.
        level_id: its ``profile-level-id``, six hexadecimal digits.
        mode: its ``packetization-mode``.
    """

    payload_type: int
    level_id: str
    mode: int

    @property
    def profile(self) -> int:
        """The ``profile_idc``."""
        return int(self.level_id[:2], 16)


def offered(codecs: Iterable[RTCRtpCodecParameters]) -> tuple[H264, ...]:
    """The ways to send H.264 among a section's codecs, in their order."""
    found = []
    for codec in codecs:
        if codec.name.upper() != "H264" or codec.payloadType is None:
            continue
        level_id = str(codec.parameters.get("profile-level-id", BASELINE_ID)).lower()
        mode = str(codec.parameters.get("packetization-mode", 0))
        if re.fullmatch("[0-9a-f]{6}", level_id) and mode in ("0", "1"):
            found.append(H264(codec.payloadType, level_id, int(mode)))
    return tuple(found)


def profile_of(format_: PictureFormat) -> int:
    """The ``profile_idc`` of coded pictures, baseline where they do not say."""
    for unit in split_units(format_.extradata):
        if unit_type("h264", unit) == SPS and len(unit) > 1:
            return unit[1]
    return BASELINE


def level_id_of(format_: PictureFormat) -> str:
    """The ``profile-level-id`` of coded pictures, baseline where they do not say."""
    for unit in split_units(format_.extradata):
        if unit_type("h264", unit) == SPS and len(unit) > 3:
            return unit[1:4].hex()
    return BASELINE_ID


def covers(profile: int, pictures: int) -> bool:
    """Whether a decoder of one profile decodes pictures of another, as far as that is known."""
    return pictures == profile or RANKS.get(pictures, len(RANKS)) <= RANKS.get(profile, -1)


def best(ways: Sequence[H264], format_: PictureFormat | None) -> H264 | None:
    """The way in which a viewer gets pictures: as they are, if one of those offered covers them.

    Args:
        ways: that the viewer offers.
        format_: of the pictures; ``None`` while they are not known.
    """
    sendable = [way for way in ways if way.mode == 1 and way.profile in RANKS]
    sendable.sort(key=lambda way: RANKS[way.profile])
    if not sendable:
        return None
    if format_ is None:
        return sendable[-1]
    if format_.codec == "h264" and not format_.reordered:
        profile = profile_of(format_)
        for way in sendable:
            if covers(way.profile, profile):
                return way
    return sendable[0]


def shown_to_aiortc(sdp: str, ways: Collection[H264], accepted: Collection[H264]) -> str:
    """An offer in which aiortc knows the accepted ways of all there are, and no other."""
    shown = {way.payload_type: _UNKNOWN for way in ways}
    return _with_parameters(sdp, shown | {way.payload_type: _KNOWN for way in accepted})


def shown_to_peer(sdp: str, accepted: Collection[H264]) -> str:
    """The answer of aiortc with what was offered and accepted."""
    return _with_parameters(
        sdp,
        {
            way.payload_type: "level-asymmetry-allowed=1;"
            f"packetization-mode={way.mode};profile-level-id={way.level_id}"
            for way in accepted
        },
    )


def _with_parameters(sdp: str, parameters: Mapping[int, str]) -> str:
    lines, video = [], False
    for line in sdp.split("\r\n"):
        if line.startswith("m="):
            video = line.startswith("m=video ")
        attribute = re.match(r"a=(rtpmap|fmtp):(\d{1,3}) ", line) if video else None
        given = parameters.get(int(attribute[2])) if attribute else None
        if attribute is None or given is None:
            lines.append(line)
        elif attribute[1] == "rtpmap":
            lines += [line, f"a=fmtp:{attribute[2]} {given}"]
    return "\r\n".join(lines)
