"""MPEG-TS (ISO/IEC 13818-1) packet by packet, as a receiver would check it."""

from __future__ import annotations

from dataclasses import dataclass, field

PACKET = 188

PCR_RATE = 27_000_000
"""Hz."""

NULL_PID = 0x1FFF


@dataclass
class Stream:
    """An elementary stream.

    Attributes:
        kind: its ``stream_type``.
        languages: of its ISO 639 descriptors.
        times: decoding times of its PES packets, in units of 90 kHz.
        arrivals: the newest PCR when each of them began.
    """

    kind: int
    languages: list[str]
    times: list[int] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)


@dataclass
class Transport:
    """What a stretch of MPEG-TS holds.

    Attributes:
        streams: by PID, in the order of the programme's table.
        clock: values of the PCR, in units of 27 MHz.
        breaks: PIDs whose continuity counter jumped.
        tables: indices of the packets with a programme map.
    """

    streams: dict[int, Stream] = field(default_factory=dict)
    clock: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    tables: list[int] = field(default_factory=list)


def transport(data: bytes) -> Transport:
    """Read what begins and ends on a packet."""
    assert data and len(data) % PACKET == 0
    found = Transport()
    counters: dict[int, int] = {}
    map_pid = -1
    for number in range(len(data) // PACKET):
        packet = data[number * PACKET : (number + 1) * PACKET]
        assert packet[0] == 0x47 and not packet[1] & 0x80, "no packet, or one marked as damaged"
        pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
        begins, fields, counter = bool(packet[1] & 0x40), packet[3] >> 4 & 3, packet[3] & 15
        if pid == NULL_PID:
            continue
        step = counters.get(pid, counter - (fields & 1)) + (fields & 1)
        if counter != step & 15:
            found.breaks.append(pid)
        counters[pid] = counter
        body = packet[4:]
        if fields & 2:
            length = body[0]
            if length and body[1] & 0x10:
                base = int.from_bytes(body[2:8], "big")
                found.clock.append((base >> 15) * 300 + (base & 0x1FF))
            body = body[1 + length :]
        if not fields & 1 or not begins:
            continue
        if pid == 0:
            section = body[1 + body[0] :]
            map_pid = int.from_bytes(section[10:12], "big") & 0x1FFF
        elif pid == map_pid:
            found.tables.append(number)
            found.streams = _streams(body[1 + body[0] :], found.streams)
        elif pid in found.streams and body[:3] == b"\0\0\1":
            found.streams[pid].times.append(_decoding_time(body))
            found.streams[pid].arrivals.append(found.clock[-1] if found.clock else 0)
    return found


def _streams(section: bytes, known: dict[int, Stream]) -> dict[int, Stream]:
    end = 3 + (int.from_bytes(section[1:3], "big") & 0xFFF) - 4
    at = 12 + (int.from_bytes(section[10:12], "big") & 0xFFF)
    streams = {}
    while at < end:
        pid = int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        length = int.from_bytes(section[at + 3 : at + 5], "big") & 0xFFF
        described, languages = section[at + 5 : at + 5 + length], []
        while described:
            if described[0] == 0x0A:
                languages.append(described[2:5].decode())
            described = described[2 + described[1] :]
        streams[pid] = known.get(pid) or Stream(section[at], languages)
        at += 5 + length
    return streams


def _decoding_time(pes: bytes) -> int:
    both = pes[7] >> 6 == 3
    raw = pes[14:19] if both else pes[9:14]
    high, middle, low = raw[0] >> 1 & 7, raw[1:3], raw[3:5]
    return high << 30 | int.from_bytes(middle, "big") >> 1 << 15 | int.from_bytes(low, "big") >> 1
