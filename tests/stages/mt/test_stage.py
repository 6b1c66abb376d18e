import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from server.config import Config
from server.sessions.assembly import increments, segmenter
from stages.asr.stage import recognition
from stages.base import Rendering
from stages.mt.stage import translation
from stages.options import MtConfig
from stream.dub.job import DubJob, StageFault
from stream.frames import SPEECH_RATE, Fate, Transcript, Utterance
from stream.timeline import TICK_RATE, Interval
from tests.helpers.scripted import Hindsight, Recogniser

LONG, SHORT = "uma tradução bem longa demais", "uma tradução"


class Translator:
    """Has a long translation and, asked for it, a short one."""

    def __init__(self, alternatives: Callable[[], Awaitable[list[Rendering]]]) -> None:
        self._alternatives = alternatives
        self.asked = 0

    async def translate(self, text: str) -> str:
        return LONG if text.strip() else ""

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        self.asked += 1
        return await self._alternatives()

    async def aclose(self) -> None: ...


def _expected(text: str) -> int:
    return len(text) * TICK_RATE // 10


async def _refuses(job: DubJob, text: str, following: DubJob) -> bool:
    return False


async def _both() -> list[Rendering]:
    return [Rendering(LONG, -0.1), Rendering(SHORT, -0.2)]


async def _fails() -> list[Rendering]:
    raise RuntimeError("the beam broke")


async def _hangs() -> list[Rendering]:
    await asyncio.sleep(3600)
    return []


def _translated(translator: Translator, slot: float, options: MtConfig | None = None) -> DubJob:
    utterance = Utterance(
        0, Interval(0, round(slot * TICK_RATE)), np.zeros(0, np.float32), 0, "pause"
    )
    job = DubJob(utterance, transcript=Transcript("something", "en"))
    work = translation(translator, options or MtConfig(), "en", _expected, _refuses)

    async def run() -> None:
        async with asyncio.timeout(0.4) as job.timeout:
            await work(job)

    asyncio.run(run())
    return job


def test_a_shorter_translation_is_chosen_where_the_first_does_not_fit() -> None:
    job = _translated(Translator(_both), slot=1.2)
    assert (job.translation, job.candidates, job.chosen) == (SHORT, 2, 1)


def test_one_that_fits_is_taken_as_it_is() -> None:
    translator = Translator(_both)
    job = _translated(translator, slot=2.9)
    assert (job.translation, job.candidates, job.chosen) == (LONG, 1, 0)
    assert translator.asked == 0


def test_no_others_are_asked_for_where_none_are_wanted() -> None:
    translator = Translator(_both)
    assert _translated(translator, 1.2, MtConfig(alternatives=1)).translation == LONG
    assert translator.asked == 0


@pytest.mark.parametrize("fault", [_fails, _hangs])
def test_the_first_is_spoken_where_others_cannot_be_had(
    fault: Callable[[], Awaitable[list[Rendering]]],
) -> None:
    job = _translated(Translator(fault), slot=1.2)
    assert (job.translation, job.candidates, job.chosen) == (LONG, 1, 0)


def test_no_translation_is_a_fault() -> None:
    utterance = Utterance(0, Interval(0, 1), np.zeros(0, np.float32), 0, "pause")
    job = DubJob(utterance, transcript=Transcript(" ", "en"))
    with pytest.raises(StageFault):
        asyncio.run(translation(Translator(_both), MtConfig(), "en", len, _refuses)(job))


@pytest.mark.parametrize("grants", [True, False])
def test_what_was_spoken_already_is_put_right_while_nobody_has_heard_it(grants: bool) -> None:
    asked: list[tuple[int, str, int]] = []

    async def reword(job: DubJob, text: str, following: DubJob) -> bool:
        asked.append((job.utterance.id, text, following.utterance.id))
        if grants:
            job.translation = text
        return grants

    async def run() -> list[str]:
        work, jobs = translation(Hindsight(), MtConfig(), "en", lambda text: TICK_RATE, reword), []
        for index, text in enumerate(("we go up", "the old stairs.", "It rains.")):
            slot = Interval(index * TICK_RATE, (index + 1) * TICK_RATE)
            utterance = Utterance(index, slot, np.zeros(0, np.float32), 0, "cut")
            jobs.append(DubJob(utterance, transcript=Transcript(text, "en")))
            await work(jobs[-1])
        return [job.translation for job in jobs]

    said = asyncio.run(run())
    assert asked == [(0, "WE CLIMB UP", 1)]
    assert said == ["WE CLIMB UP" if grants else "WE GO UP", "THE OLD STAIRS.", "IT RAINS."]


def test_what_is_heard_in_pieces_has_capitals_where_sentences_begin() -> None:
    async def run() -> list[str]:
        work, texts = recognition(Recogniser()), []
        for index, text in enumerate(("his name was Peter", "and he knew it.", "buses cross")):
            slot = Interval(index * TICK_RATE, (index + 1) * TICK_RATE)
            utterance = Utterance(index, slot, np.zeros(0, np.float32), 0, "cut")
            job = DubJob(utterance, transcript=Transcript(text, "en"))
            await work(job)
            assert job.transcript is not None
            texts.append(job.transcript.text)
        return texts

    assert asyncio.run(run()) == ["His name was Peter", "and he knew it.", "Buses cross"]


def test_speech_in_which_no_word_was_found_is_heard_once_more_as_a_whole() -> None:
    async def run(transcript: Transcript) -> DubJob:
        utterance = Utterance(0, Interval(0, TICK_RATE), np.zeros(0, np.float32), 0, "pause")
        job = DubJob(utterance, transcript=transcript)
        await recognition(Recogniser())(job)
        return job

    again = asyncio.run(run(Transcript("", "en")))
    assert again.transcript is not None and again.transcript.text == "Utterance number 1"
    assert again.fate is None
    noise = asyncio.run(run(Transcript("", "en", rejected="no speech")))
    assert noise.fate is Fate.EMPTY


@pytest.mark.parametrize(("pace", "step"), [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0), (3.0, 1.0)])
def test_speech_is_heard_less_often_where_the_voice_needs_the_processor(
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
            incremental.heard(draft, Transcript("", "en"))
            heard.append(draft.voiced)
    assert np.diff(heard) / SPEECH_RATE == pytest.approx(step, abs=window / SPEECH_RATE)
    assert len(heard) >= 3
