"""The share of the speech in each channel."""

import numpy as np
import pytest

from stream.frames import Samples
from stream.speech.channel_shares import ChannelShares
from stream.timeline import TICK_RATE


def noise(seed: int, length: int = TICK_RATE) -> Samples:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32)


@pytest.mark.parametrize(
    ("left", "right", "mono"), [(1, 1, (0.5, 0.5)), (2, 0, (0.5, 0.5)), (0.4, 1.6, (0.5, 0.5))]
)
def test_a_channel_has_as_much_of_the_speech_as_it_was_mixed_with(
    left: float, right: float, mono: tuple[float, float]
) -> None:
    speech = noise(1)
    pair = np.stack([left * speech, right * speech], axis=1) + 0.1 * noise(2)[:, None]
    shares = ChannelShares(2)
    found = shares.of(pair, pair @ np.array(mono, np.float32), speech)
    wanted = np.stack([left * speech, right * speech], axis=1)
    late = slice(TICK_RATE // 2, None)
    assert np.abs(found[late] - wanted[late]).mean() < 0.05


def test_what_both_channels_share_alike_is_taken_from_both_exactly() -> None:
    speech = noise(1)
    pair = np.repeat(speech[:, None], 2, axis=1)
    assert np.allclose(ChannelShares(2).of(pair, speech, speech / 2), pair / 2, atol=1e-6)


def test_silence_tells_nothing_and_keeps_what_was_known() -> None:
    shares = ChannelShares(2)
    speech = noise(1)
    pair = np.stack([2 * speech, 0 * speech], axis=1)
    shares.of(pair, speech, speech)
    silence = np.zeros((TICK_RATE, 2), np.float32)
    for _ in range(30):
        shares.of(silence, silence[:, 0], silence[:, 0])
    again = shares.of(pair[:480], speech[:480], speech[:480])
    assert np.allclose(again, pair[:480], atol=0.05)
