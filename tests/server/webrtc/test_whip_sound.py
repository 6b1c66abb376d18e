"""Opus with gaps, decoded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.webrtc.whip_sound import SoundDecoder
from stream.frames import AudioChunk, Samples
from stream.media.opus import OpusEncoder, OpusPacket
from stream.timeline import FRAME, TICK_RATE

EDGE = TICK_RATE // 400


def _coded(seconds: float = 1.0) -> list[OpusPacket]:
    """A voice-like tone, 165 Hz and its overtones: 3.3 periods a packet."""
    time = np.arange(round(seconds * TICK_RATE)) / TICK_RATE
    tone = sum(0.3 / n * np.sin(2 * np.pi * 165 * n * time) for n in range(1, 8))
    sound = np.stack([tone, tone], 1).astype(np.float32)
    encoder = OpusEncoder(2)
    blocks = [AudioChunk(at, sound[at : at + FRAME]) for at in range(0, len(sound), FRAME)]
    return [packet for block in blocks for packet in encoder.convert(block, False)]


def _decoded(packets: list[OpusPacket], lost: set[int] | None = None) -> tuple[Samples, int]:
    decoder = SoundDecoder()
    kept = [(p.time, p.data) for n, p in enumerate(packets) if n not in (lost or ())]
    chunks = decoder.decode(kept)
    assert all(a.end == b.start for a, b in zip(chunks, chunks[1:], strict=False))
    return np.concatenate([chunk.samples for chunk in chunks]), decoder.concealed


def _click(sound: Samples, at: int) -> float:
    """Energy above 6 kHz, where the tone has none, in the 5 ms around a moment; decibels."""
    window = sound[at - EDGE : at + EDGE, 0] * np.hanning(2 * EDGE)
    spectrum = np.abs(np.fft.rfft(window)) ** 2
    return float(10 * np.log10(spectrum[round(6000 / TICK_RATE * 2 * EDGE) :].sum() + 1e-12))


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_gap_keeps_its_length_and_does_not_click(count: int) -> None:
    packets = _coded()
    whole, concealed = _decoded(packets)
    assert concealed == 0
    # Wherever in the tone's period the gap falls.
    for first in range(20, 24):
        lost = set(range(first, first + count))
        heard, concealed = _decoded(packets, lost)
        assert concealed == count * FRAME
        assert len(heard) == len(whole)
        begin, end = first * FRAME, (first + count) * FRAME
        assert np.array_equal(heard[:begin], whole[:begin])
        # Two packets on, the decoder is where it would have been.
        rest = slice(end + 3 * FRAME, None)
        assert np.abs(heard[rest] - whole[rest]).max() < 0.02
        silent = whole.copy()
        silent[begin:end] = 0
        ours, cut = (
            [_click(sound, at) for sound in (heard, silent) for at in (begin, end)][i : i + 2]
            for i in (0, 2)
        )
        print(count, first, np.round(ours), np.round(cut))
        assert max(ours) < min(cut) - 20


def test_what_is_lost_for_long_fades_to_silence() -> None:
    packets = _coded(2.0)
    whole, _ = _decoded(packets)
    heard, _ = _decoded(packets, set(range(20, 60)))
    gap = heard[20 * FRAME : 60 * FRAME, 0]
    assert np.abs(gap[:FRAME]).max() > 0.1
    assert np.abs(gap[TICK_RATE // 4 :]).max() < 1e-3


@given(st.sets(st.integers(1, 48)))
def test_what_came_stays_where_it_belongs(lost: set[int]) -> None:
    packets = _coded()
    heard, concealed = _decoded(packets, lost)
    assert len(heard) == len(packets) * FRAME
    assert concealed == len(lost) * FRAME


@given(st.lists(st.tuples(st.integers(0, 100), st.binary(min_size=1, max_size=60)), max_size=10))
def test_no_bytes_break_it(packets: list[tuple[int, bytes]]) -> None:
    chunks = SoundDecoder().decode([(time * FRAME, data) for time, data in packets])
    assert all(a.end == b.start for a, b in zip(chunks, chunks[1:], strict=False))
