"""What a media playlist must keep to (RFC 8216bis), checked on its text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Read:
    """A media playlist as a player reads it; segments and parts by number."""

    target: int = 0
    version: int = 0
    part_target: float | None = None
    control: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    first: int = 0
    durations: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    parts: dict[int, list[tuple[float, str, bool]]] = field(default_factory=dict)
    dates: dict[int, str] = field(default_factory=dict)
    hint: str = ""
    reports: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    ended: bool = False

    @property
    def last(self) -> int:
        return max(self.durations)

    @property
    def edge(self) -> tuple[int, int]:
        """Number of the segment that is being made, and of its last part, -1 for none."""
        return self.last + 1, len(self.parts.get(self.last + 1, [])) - 1


def read(text: str) -> Read:
    """Read a playlist, and check what every single one must keep to."""
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U" and text.endswith("\n")
    got = Read(ended="#EXT-X-ENDLIST" in lines)
    number = 0
    for at, line in enumerate(lines):
        tag, _, value = line.partition(":")
        attributes = dict(re.findall(r'([A-Z-]+)="?([^",]*)"?', value))
        match tag:
            case "#EXT-X-MEDIA-SEQUENCE":
                got.first = number = int(value)
            case "#EXT-X-SKIP":
                got.skipped = int(attributes["SKIPPED-SEGMENTS"])
                number += got.skipped
            case "#EXT-X-PROGRAM-DATE-TIME":
                got.dates[number] = value
            case "#EXT-X-PART":
                part = (float(attributes["DURATION"]), attributes["URI"], "INDEPENDENT" in line)
                got.parts.setdefault(number, []).append(part)
            case "#EXTINF":
                got.durations[number] = float(value.rstrip(","))
                got.names[number] = lines[at + 1]
                number += 1
            case _:
                _note(got, tag, value, attributes)
    _check(got)
    return got


def _note(got: Read, tag: str, value: str, attributes: dict[str, str]) -> None:
    match tag:
        case "#EXT-X-VERSION":
            got.version = int(value)
        case "#EXT-X-TARGETDURATION":
            got.target = int(value)
        case "#EXT-X-SERVER-CONTROL":
            got.control = attributes
        case "#EXT-X-PART-INF":
            got.part_target = float(attributes["PART-TARGET"])
        case "#EXT-X-PRELOAD-HINT":
            assert attributes["TYPE"] == "PART"
            got.hint = attributes["URI"]
        case "#EXT-X-RENDITION-REPORT":
            part = attributes.get("LAST-PART")
            last = None if part is None else int(part)
            got.reports[attributes["URI"]] = int(attributes["LAST-MSN"]), last


def _check(got: Read) -> None:
    # 4.4.3.1: rounded to the nearest integer, no segment is longer than the target.
    assert all(int(one + 0.5) <= got.target for one in got.durations.values())
    if got.parts:
        target = got.part_target
        assert target is not None and got.control["CAN-BLOCK-RELOAD"] == "YES"
        assert float(got.control["PART-HOLD-BACK"]) >= 3 * target
        for number, parts in got.parts.items():
            for at, (duration, _, independent) in enumerate(parts):
                assert 0 < duration <= target + 1e-6  # 4.4.4.9
                last = number in got.durations and at == len(parts) - 1
                assert last or independent or duration >= 0.85 * target - 1e-6
            if number in got.durations:
                assert abs(sum(part[0] for part in parts) - got.durations[number]) < 2e-5
    else:
        assert got.part_target is None and "PART-HOLD-BACK" not in got.control and not got.hint
    if got.control:
        assert float(got.control["HOLD-BACK"]) >= 3 * got.target
        assert float(got.control["CAN-SKIP-UNTIL"]) >= 6 * got.target
    if got.skipped:
        assert got.version >= 9
    assert not (got.ended and (got.hint or got.control or got.reports))


def follow(before: Read, after: Read) -> None:
    """Check that one reading of a live playlist can follow another."""
    assert after.target == before.target and after.first >= before.first
    assert after.edge >= before.edge
    for number, duration in before.durations.items():
        if number in after.durations:
            assert after.durations[number] == duration
            assert after.names[number] == before.names[number]
    for number, parts in before.parts.items():
        if now := after.parts.get(number):
            assert now[: len(parts)] == parts
