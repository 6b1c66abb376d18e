"""How a source is recognised: what the configuration and the machine make of it."""

import numpy as np
import pytest

from server.config import Config
from server.sessions.assembly import draft_deadline, increments, segmenter
from stream.frames import SPEECH_RATE, Transcript


@pytest.mark.parametrize(("pace", "step"), [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0), (3.0, 1.0)])
def test_speech_is_recognised_less_often_where_the_voice_needs_the_processor(
    pace: float, step: float
) -> None:
    config, window = Config(), 512
    cutter = segmenter(config, window, delay=20.0, pace=pace)
    incremental = increments(config, cutter, live=True, pace=pace)
    assert incremental is not None
    heard: list[int] = []
    for _ in range(round(3.9 * SPEECH_RATE / window)):
        cutter.push(np.ones(window, np.float32), np.ones(1, np.float32))
        draft = incremental.due()
        if draft is not None:
            incremental.recognised(draft, Transcript("", "en"))
            heard.append(draft.voiced)
    assert np.diff(heard) / SPEECH_RATE == pytest.approx(step, abs=window / SPEECH_RATE)
    assert len(heard) >= 3


def test_of_a_file_a_busy_machine_hears_the_same_words() -> None:
    """Nobody waits: speech under way has as long as speech that has ended."""
    config = Config()
    assert draft_deadline(config, live=False) == config.asr.deadline == 30.0
    assert draft_deadline(config, live=True) == 5.0
