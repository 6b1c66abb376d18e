"""Sections of an offer that are declined: of a kind that is no use here, or switched off already.

Browsers add a data channel to what they send, and libraries text or captions. An answer says of
each that it is not wanted, by port 0 (RFC 3264, section 6), and the rest goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = ("audio", "video")


@dataclass(frozen=True, slots=True)
class Declined:
    """A section that is answered without being set up.

    Attributes:
        index: its place among all sections of the offer.
        media: its ``m=`` line with port 0.
        mid: its name; empty if it has none.
    """

    index: int
    media: str
    mid: str


def taken_apart(sdp: str) -> tuple[str, tuple[Declined, ...]]:
    """An offer without the sections to be declined, and those."""
    session, *sections = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    kept, declined = [], []
    for index, section in enumerate(sections):
        first = section.partition("\r\n")[0]
        kind, _, rest = first.removeprefix("m=").partition(" ")
        port, _, rest = rest.partition(" ")
        off = port == "0" and "a=bundle-only" not in section
        if kind in KINDS and not off:
            kept.append(section)
            continue
        mid = re.search(r"^a=mid:(\S+)", section, re.MULTILINE)
        declined.append(Declined(index, f"m={kind} 0 {rest}", mid[1] if mid else ""))
    gone = {one.mid for one in declined}
    session = re.sub(
        r"^a=group:.*$",
        lambda group: " ".join(word for word in group[0].split() if word not in gone) + "\r",
        session,
        flags=re.MULTILINE,
    )
    return session + "".join(kept), tuple(declined)


def put_together(sdp: str, declined: tuple[Declined, ...]) -> str:
    """An answer with the declined sections at their places."""
    session, *sections = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    for one in declined:
        lines = [one.media, "c=IN IP4 0.0.0.0", "a=inactive"]
        lines += [f"a=mid:{one.mid}"] if one.mid else []
        sections.insert(one.index, "".join(f"{line}\r\n" for line in lines))
    return session + "".join(sections)
