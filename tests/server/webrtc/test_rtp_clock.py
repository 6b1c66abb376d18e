"""Two RTP clocks on one timeline."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from server.webrtc.rtp_clock import Alignment, RtpClock, Unwrapper
from stream.timeline import TICK_RATE

FPS = 25


@given(st.integers(0, (1 << 32) - 1), st.lists(st.integers(-1000, 1 << 30), max_size=50))
def test_wrapping_round_is_counted_on(first: int, steps: list[int]) -> None:
    unwrap = Unwrapper()
    newest = value = unwrap(first)
    for step in steps:
        value = newest + step
        assert unwrap(value % (1 << 32)) == value
        newest = max(newest, value)


def play(*, late: float, drift: float, reports: bool, seconds: int = 60) -> list[float]:
    """Where each picture is put, minus where it belongs, seconds.

    The publisher's sound card runs off by ``drift``; its pictures arrive ``late``.
    """
    sound, picture = RtpClock(48_000), RtpClock(90_000)
    align = Alignment(sound, picture)
    sound_zero, picture_zero = 4_294_000_000, 1234
    errors = []
    for n in range(seconds * 100):
        wall = n / 100
        samples = round(wall * 48_000 * (1 + drift))
        if n % 2 == 0:
            sound.arrived((sound_zero + samples) % (1 << 32), wall)
        if n % (100 // FPS) == 0:
            stamp = (picture_zero + round(wall * 90_000)) % (1 << 32)
            at = picture.arrived(stamp, wall + late)
            placed = align.place(at)
            if placed is not None:
                errors.append((placed - sound_zero - samples) / TICK_RATE)
        if reports and n % 100 == 70:
            ntp = round((3_900_000_000 + wall) * (1 << 32))
            sound.reported(ntp, (sound_zero + samples) % (1 << 32))
            picture.reported(ntp, (picture_zero + round(wall * 90_000)) % (1 << 32))
    return errors


def test_without_reports_arrival_decides() -> None:
    errors = play(late=0.0, drift=0.0, reports=False)
    assert max(map(abs, errors)) < 0.015  # the sound's own packet length


def test_reports_decide_and_get_there_gradually() -> None:
    errors = play(late=0.2, drift=0.0, reports=True)
    assert 0.15 < errors[0] < 0.25
    assert max(map(abs, errors[6 * FPS :])) < 0.0005
    assert np.abs(np.diff(errors)).max() <= 0.05 / FPS + 0.0001


def test_a_plain_error_is_corrected_sooner_but_never_backwards() -> None:
    errors = play(late=0.8, drift=0.0, reports=True)
    assert errors[0] > 0.7
    assert max(map(abs, errors[8 * FPS :])) < 0.0005
    assert np.diff(errors).min() >= -0.25 / FPS - 0.0001


def test_a_clock_that_is_off_is_followed() -> None:
    for drift in (200e-6, -200e-6):
        errors = play(late=0.05, drift=drift, reports=True, seconds=120)
        assert max(map(abs, errors[5 * FPS :])) < 0.001


def test_nothing_is_placed_before_there_is_sound() -> None:
    sound, picture = RtpClock(48_000), RtpClock(90_000)
    align = Alignment(sound, picture)
    picture.arrived(5, 0.0)
    assert align.place(5) is None
    assert not align.aligned
