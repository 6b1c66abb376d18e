"""After a WHIP publisher had been muted for more than ten seconds, its sound came late for ever and
the picture stood still; what follows must be in sync at once, whatever its clock did meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.webrtc.rtp_clock import Alignment, RtpClock
from server.webrtc.whip_sound import SoundDecoder
from stream.frames import AudioChunk
from stream.media.opus import OpusEncoder
from stream.timeline import FRAME, TICK_RATE
from tests.helpers.examples import examples

SOUND_ZERO, PICTURE_ZERO = 4_294_000_000, 1234
WRAP = 1 << 32


@dataclass(frozen=True)
class Muted:
    """A stretch without packets, and by how much the stream's clock moves beyond those it sent.

    Attributes:
        begin, end: seconds.
        moves: seconds that its clock takes from one to the other; any number is possible.
    """

    begin: float
    end: float
    moves: float


def stamps(muted: Muted | None, step: float, length: float) -> Iterator[tuple[float, float]]:
    """When each packet is sent, and its time on the stream's own clock; seconds."""
    for n in range(round(length / step)):
        wall = n * step
        if muted is None or wall < muted.begin:
            yield wall, wall
        elif wall >= muted.end:
            yield wall, wall - muted.end + muted.begin + muted.moves


def coded() -> bytes:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(FRAME) / TICK_RATE)
    block = AudioChunk(0, np.stack([tone, tone], 1).astype(np.float32))
    (packet,) = OpusEncoder(2).convert(block, False)
    return bytes(packet.data)


def heard(muted: Muted | None, length: float = 32) -> list[tuple[float, AudioChunk]]:
    """What is made of the sound, each chunk with the second at which it came."""
    clock, decoder, data = RtpClock(48_000), SoundDecoder(), coded()
    out = []
    for wall, own in stamps(muted, 0.02, length):
        time = clock.arrived((SOUND_ZERO + round(own * 48_000)) % WRAP, wall)
        out += [(wall, chunk) for chunk in decoder.decode([(time, data)])]
    return out


WAYS = {
    "it runs on": 19.5,
    "it is stopped": 0.02,
    "it is set forward": 5000.0,
    "it is set back": -300.0,
}


@pytest.mark.parametrize("way", WAYS)
def test_sound_after_a_long_silence_is_where_it_belongs(way: str) -> None:
    chunks = heard(Muted(5.0, 24.5, WAYS[way]))
    wrong = [wall for wall, one in chunks if abs(one.end / TICK_RATE - 0.02 - wall) > 0.05]
    # A clock that was stopped looks like a network that was, until it does not catch up.
    assert all(24.5 <= wall < 26.6 for wall in wrong)
    assert len(wrong) == 0 or way == "it is stopped"
    quiet = [one for wall, one in chunks if 5.1 < one.start / TICK_RATE < 24.3 and wall > 26.6]
    assert quiet == [], "nothing is made up for the time of silence"


@pytest.mark.parametrize("way", WAYS)
def test_the_picture_stays_with_the_sound(way: str) -> None:
    """The picture goes on meanwhile, and sender reports tell of the new clock."""
    muted = Muted(5.0, 24.5, WAYS[way])
    sound, picture = RtpClock(48_000), RtpClock(90_000)
    align, origin, placed = Alignment(sound, picture), None, []
    own = dict(stamps(muted, 0.02, 40))
    for n in range(2000):
        wall = n * 0.02
        now = round(wall, 6)
        if wall in own:
            stamp = (SOUND_ZERO + round(own[wall] * 48_000)) % WRAP
            time = sound.arrived(stamp, wall)
            origin = time if origin is None else origin
            if n % 200 == 0:
                sound.reported(round((3_900_000_000 + wall) * WRAP), stamp)
        if n % 2 == 0:
            shown = (PICTURE_ZERO + round(now * 90_000)) % WRAP
            at = align.place(picture.arrived(shown, wall))
            if n % 200 == 100:
                picture.reported(round((3_900_000_000 + wall) * WRAP), shown)
            if at is not None and origin is not None:
                placed.append((wall, (at - origin) / TICK_RATE - wall))
    off = [wall for wall, error in placed if abs(error) > 0.1]
    assert all(24.5 <= wall < 26.6 for wall in off), (way, off[:3], off[-3:])


@examples(0.3)
@given(st.floats(0.5, 8.0))
def test_a_network_that_stood_still_moves_nothing(stall: float) -> None:
    """What it held up comes in a burst, and everything stays at its own time."""
    clock, errors = RtpClock(48_000), []
    for n in range(1500):
        sent = n * 0.02
        came = max(sent, 20.0 + n * 0.0001) if 20.0 - stall <= sent < 20.0 else sent
        time = clock.arrived((SOUND_ZERO + round(sent * 48_000)) % WRAP, came)
        errors.append(time - SOUND_ZERO - sent * TICK_RATE)
    assert max(map(abs, errors)) < TICK_RATE / 1000


@examples(0.6)
@given(st.lists(st.tuples(st.floats(2.5, 30.0), st.sampled_from(sorted(WAYS))), max_size=4))
def test_several_silences(pauses: list[tuple[float, str]]) -> None:
    clock, wall, own, zero = RtpClock(48_000), 0.0, 0.0, None
    for length, way in [(0.0, "it runs on"), *pauses]:
        wall += length
        own += length if way == "it runs on" else (WAYS[way] if length else 0.0)
        for _ in range(200):
            wall, own = wall + 0.02, own + 0.02
            time = clock.arrived((SOUND_ZERO + round(own * 48_000)) % WRAP, wall)
            zero = time - wall * TICK_RATE if zero is None else zero
        assert (time - zero) / TICK_RATE == pytest.approx(wall, abs=0.1)


def test_a_short_gap_is_still_concealed() -> None:
    chunks = heard(Muted(5.0, 8.0, 3.0), length=12)
    assert sum(len(one.samples) for _, one in chunks) == 12 * TICK_RATE
