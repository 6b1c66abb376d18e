"""Recognition of one source: what is known already, what is awaited, and who speaks."""

import asyncio
import math
from collections.abc import Sequence

import numpy as np
import pytest

from stream.clock.pacing import Offline, Pacing, RealTime
from stream.dub.attempt import Attempts, Notice, StageDone
from stream.dub.job import DubJob, Stage
from stream.dub.lateness import Lateness
from stream.dub.recognition import Answer, Pending, Recogniser, Recognition, Speakers
from stream.flow.channel import Channel
from stream.frames import Embedding, Fate, Samples, Transcript, Utterance, Word
from stream.speech.agreement import LocalAgreement
from stream.speech.detection import Windows
from stream.speech.diarize import Diarizer, SpeakerOptions
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found, Incremental, Outlook, Verdict
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
from stream.timeline import Interval, ticks
from tests.helpers.dubbing import SPAN, WINDOW, since_start
from tests.helpers.station import Whole, no_words

pytestmark = pytest.mark.virtual_time
OPTIONS = SegmentOptions(soft_length=2.5, max_length=4.0)


class Patient:
    """A policy that takes nothing before speech has ended."""

    def decide(self, outlook: Outlook) -> Verdict:
        return Verdict()

    def mark(self, before: Word, after: Word) -> str:
        return ""


class Words:
    """A recogniser of speech under way: a word for each second of it, after a while."""

    def __init__(self, takes: float = 0.3, faults: Sequence[Exception | None] = ()) -> None:
        self.takes = takes
        self.faults = list(faults)
        self.asked: list[tuple[float, int]] = []
        self.under_way = 0

    async def __call__(self, audio: Samples) -> Transcript:
        self.asked.append((since_start(), len(audio) // WINDOW))
        self.under_way += 1
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.under_way -= 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        seconds = max(1, round(len(audio) / 16_000))
        words = tuple(Word(f"w{n}", n, n + 0.9, 1.0) for n in range(seconds))
        return Transcript(" ".join(word.text for word in words), "en", words)


class Desk:
    """Recognition that is fed windows at the source's pace; all that comes of it."""

    def __init__(
        self,
        hearing: Hearing | None = None,
        *,
        words: Words | None = None,
        whole: Whole | None = None,
        speakers: Speakers | None = None,
        pacing: Pacing | None = None,
        deadline: float = 10.0,
        words_deadline: float = 5.0,
    ) -> None:
        self.whole = whole or Whole()
        self.notices: list[Notice] = []
        self.pacing = pacing or RealTime(6.0)
        self.announced: list[tuple[float, list[int], int | None]] = []
        attempts = Attempts(self.pacing, Lateness(), self.notices.append)
        recogniser = Recogniser(words or no_words, words_deadline, self.whole, deadline)
        hearing = hearing or Hearing(Segmenter(OPTIONS, WINDOW), inline=False)
        self.recognition = Recognition(hearing, recogniser, attempts, speakers)
        self.done: list[tuple[float, DubJob]] = []

    async def run(self, speech: Sequence[bool]) -> list[DubJob]:
        """Windows with or without speech, each at its time."""
        inbox, outbox = Channel[Windows | Answer](4), Channel[Pending](8)
        self.pacing.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed(speech, inbox))
            group.create_task(self._recognise(outbox))
            group.create_task(self.recognition.find(inbox, outbox, self._announce))
        return [job for _, job in self.done]

    async def _feed(self, speech: Sequence[bool], inbox: Channel[Windows | Answer]) -> None:
        for index, voiced in enumerate(speech):
            await self.pacing.source((index + 1) * SPAN)
            audio = np.full(WINDOW, 0.1 if voiced else 0, np.float32)
            await inbox.send(Windows(audio, np.float32([0.9 if voiced else 0.02])))
        inbox.close()

    async def _recognise(self, outbox: Channel[Pending]) -> None:
        async for pending in outbox:
            job = await self.recognition.recognise(pending)
            self.done.append((since_start(), job))

    def _announce(self, utterances: Sequence[Utterance], settled: int | None) -> None:
        self.announced.append((since_start(), [each.id for each in utterances], settled))


def incremental(*, inline: bool = False, step: float = 0.5) -> Hearing:
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False)
    agreement = LocalAgreement(2)
    return Hearing(
        segmenter, Incremental(segmenter, agreement, Patient(), step=step), inline=inline
    )


def said(*parts: tuple[int, int]) -> list[bool]:
    """Windows of silence and then of speech, again and again; silence at the end."""
    windows: list[bool] = []
    for silent, voiced in parts:
        windows += [False] * silent + [True] * voiced
    return windows + [False] * 20


def pending(
    known: Transcript | None = None,
    answer: asyncio.Future[Transcript | None] | None = None,
    id_: int = 0,
) -> Pending:
    slot = Interval(ticks(1), ticks(3))
    sound = np.zeros(2 * 16_000, np.float32)
    utterance = Utterance(id_, slot, sound, slot.start, "pause")
    return Pending(Found(utterance, known), asyncio.get_running_loop().time(), answer)


async def test_an_utterance_is_announced_when_its_pause_has_lasted_and_then_recognised() -> None:
    desk = Desk()
    (job,) = await desk.run(said((10, 40)))
    found = [(when, ids) for when, ids, _ in desk.announced if ids]
    # Sixteen windows make the half second that ends speech.
    assert found == [(pytest.approx(66 * SPAN / 48_000), [0])]
    assert job.slot == Interval(10 * SPAN, 50 * SPAN)
    assert job.text == "x" * 12 and job.fate is None
    assert desk.done[0][0] == pytest.approx(66 * SPAN / 48_000 + 0.2)
    assert desk.announced[-1][2] is None  # the source's end
    settled = [time for _, _, time in desk.announced[:-1]]
    assert settled == sorted(settled) and settled[30] == job.slot.start


async def test_speech_that_is_too_long_is_cut_between_words_that_are_asked_for() -> None:
    words = Words(takes=0.3)
    desk = Desk(words=words)
    jobs = await desk.run(said((0, 200)))
    assert len(words.asked) >= 1 and words.asked[0][1] == 125
    assert [job.utterance.ended_by for job in jobs] == ["cut", "pause"]
    # The answer is 0.3 s old when the cut is made.
    when = next(when for when, ids, _ in desk.announced if ids == [0])
    assert when == pytest.approx(words.asked[0][0] + 0.3)
    assert jobs[0].slot.end <= jobs[1].slot.start


async def test_a_cut_does_not_depend_on_words_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(words=Words(faults=[RuntimeError("no"), ValueError()]))
    jobs = await desk.run(said((0, 250)))
    assert [job.utterance.ended_by for job in jobs] == ["cut", "cut", "cut", "pause"]
    assert "speech under way was not recognised: no" in caplog.text
    assert "speech under way was not recognised: ValueError" in caplog.text


async def test_what_was_recognised_under_way_is_not_recognised_again() -> None:
    words, whole = Words(takes=0.01), Whole()
    desk = Desk(incremental(step=9), words=words, whole=whole)
    (job,) = await desk.run(said((5, 60)))
    # Asked once, in the first silence; known when speech had ended.
    (known,) = [known for _, known in whole.asked]
    assert known is not None and job.transcript == known and len(words.asked) == 1


async def test_an_utterance_that_ends_meanwhile_waits_for_the_answer_under_way() -> None:
    words, whole = Words(takes=2.0), Whole(takes=0.1)
    desk = Desk(incremental(step=9), words=words, whole=whole)
    (job,) = await desk.run(said((5, 60)))
    asked, _ = words.asked[0]
    assert len(words.asked) == 1 and whole.asked[0][1] is not None
    assert desk.done[0][0] == pytest.approx(asked + 2.0 + 0.1)
    ended = next(when for when, ids, _ in desk.announced if ids == [0])
    assert asked < ended < asked + 2.0
    assert job.latency["asr"] == pytest.approx(desk.done[0][0] - ended)


@pytest.mark.parametrize("fault", [RuntimeError("no"), None])
async def test_if_that_answer_fails_or_never_comes_it_is_recognised_whole(
    fault: Exception | None,
) -> None:
    words = Words(takes=1.0 if fault else 99.0, faults=[fault])
    whole = Whole(takes=0.1)
    desk = Desk(incremental(step=9), words=words, whole=whole, words_deadline=2.0)
    (job,) = await desk.run(said((5, 60)))
    assert whole.asked == [(0, None)] and job.text == "x" * 19
    assert desk.done[0][0] == pytest.approx(words.asked[0][0] + (1.0 if fault else 2.0) + 0.1)
    assert words.under_way == 0


async def test_inline_every_request_is_answered_before_the_next_window() -> None:
    outcomes = []
    for takes in (0.0, 3.0):
        words = Words(takes=takes)
        hearing = incremental(inline=True, step=math.inf)
        desk = Desk(hearing, words=words, pacing=Offline())
        jobs = await desk.run(said((5, 40), (9, 40), (30, 50)))  # a breath and a pause
        outcomes.append([(job.slot, job.text) for job in jobs])
        assert [length for _, length in words.asked] == [51, 100, 61]
    assert outcomes[0] == outcomes[1]


async def test_the_source_may_end_with_a_request_under_way() -> None:
    words, whole = Words(takes=3.0), Whole(takes=0.1)
    desk = Desk(incremental(step=0.3), words=words, whole=whole)
    speech = [False] * 5 + [True] * 60
    (job,) = await desk.run(speech)
    assert job.utterance.ended_by == "end" and job.fate is None
    assert words.under_way == 0
    assert desk.announced[-1][1:] == ([0], None)


async def test_an_answer_that_is_there_is_not_awaited() -> None:
    desk = Desk(pacing=Offline())
    future: asyncio.Future[Transcript | None] = asyncio.get_running_loop().create_future()
    known = Transcript("known", "en")
    job = await desk.recognition.recognise(pending(known, future))
    assert job.transcript == known and not future.done()


async def test_an_awaited_answer_outlives_the_deadline_of_who_waits() -> None:
    desk = Desk(deadline=2.0, pacing=Offline())
    future: asyncio.Future[Transcript | None] = asyncio.get_running_loop().create_future()
    job = await desk.recognition.recognise(pending(None, future))
    assert (job.fate, job.fault) == (Fate.FAILED, "asr: nothing within 2.0 s")
    assert not future.cancelled()


async def test_an_empty_transcript_needs_no_dub() -> None:
    desk = Desk(whole=Whole(empty=frozenset([0])))
    (job,) = await desk.run(said((5, 40)))
    assert (job.fate, job.fault) == (Fate.EMPTY, None)


async def test_a_recogniser_that_fails_costs_one_utterance() -> None:
    desk = Desk(whole=Whole(faults={0: RuntimeError("out of memory")}))
    first, second = await desk.run(said((5, 40), (30, 40)))
    assert (first.fate, first.fault) == (Fate.FAILED, "asr: out of memory")
    assert second.fate is None
    stages = [n.stage for n in desk.notices if isinstance(n, StageDone)]
    assert stages == [Stage.RECOGNITION] * 2


async def test_cancellation_leaves_no_request_under_way() -> None:
    words = Words(takes=99.0)
    desk = Desk(incremental(step=0.3), words=words, words_deadline=200.0)
    task = asyncio.create_task(desk.run(said((5, 300))))
    await asyncio.sleep(3.0)
    assert words.under_way == 1
    task.cancel()
    await asyncio.wait([task])
    assert words.under_way == 0 and asyncio.all_tasks() == {asyncio.current_task()}


class Voices:
    """An encoder, by utterance in order: an axis for each voice, a fault, or a hang."""

    def __init__(self, *script: int | Exception | None) -> None:
        self.script = list(script)
        self.collected: list[tuple[int, str, float]] = []

    async def embed(self, audio: Samples) -> Embedding:
        await asyncio.sleep(0.1)
        voice = self.script.pop(0)
        if isinstance(voice, Exception):
            raise voice
        if voice is None:
            await asyncio.Event().wait()
        return np.eye(4, dtype=np.float32)[voice]

    async def collect(self, utterance: Utterance, nearness: float) -> None:
        self.collected.append((utterance.id, utterance.speaker, nearness))

    def speakers(self) -> Speakers:
        return Speakers(self.embed, Diarizer(SpeakerOptions()), 1.0, self.collect)


async def test_voices_are_told_apart_and_collected() -> None:
    voices = Voices(0, 1, 0)
    desk = Desk(speakers=voices.speakers(), pacing=Offline())
    jobs = [await desk.recognition.recognise(pending(id_=n)) for n in range(3)]
    assert [job.utterance.speaker for job in jobs] == ["S1", "S2", "S1"]
    assert voices.collected == [(0, "S1", 1.0), (1, "S2", 1.0), (2, "S1", 1.0)]
    assert jobs[0].latency == {
        "asr": pytest.approx(0.2, abs=1e-9),
        "speakers": pytest.approx(0.1, abs=1e-9),
    }
    assert since_start() == pytest.approx(0.6)  # both at the same time
    stages = [n.stage for n in desk.notices if isinstance(n, StageDone)]
    assert stages == [Stage.RECOGNITION, Stage.DIARISATION] * 3


async def test_a_voice_that_cannot_be_told_is_the_last_speakers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    voices = Voices(0, 1, RuntimeError("no"), None, ValueError())
    desk = Desk(speakers=voices.speakers(), pacing=Offline())
    jobs = [await desk.recognition.recognise(pending(id_=n)) for n in range(5)]
    assert [job.utterance.speaker for job in jobs] == ["S1", "S2", "S2", "S2", "S2"]
    assert [each[0] for each in voices.collected] == [0, 1]
    assert jobs[3].latency["speakers"] == pytest.approx(1.0, abs=1e-9)
    assert all(job.fate is None for job in jobs)
    for id_, reason in ((2, "no"), (3, "TimeoutError"), (4, "ValueError")):
        assert f"utterance {id_}: speaker: {reason}" in caplog.text


async def test_noise_founds_no_speaker_and_a_fault_is_not_collected() -> None:
    voices = Voices(0, 1, 2)
    whole = Whole(empty=frozenset([1]), faults={2: RuntimeError("no")})
    desk = Desk(speakers=voices.speakers(), whole=whole, pacing=Offline())
    jobs = [await desk.recognition.recognise(pending(id_=n)) for n in range(3)]
    assert [job.utterance.speaker for job in jobs] == ["S1", "S1", "S2"]
    assert [each[0] for each in voices.collected] == [0]
    told = [n.job.id for n in desk.notices if isinstance(n, StageDone) and n.stage == "speakers"]
    assert told == [0, 1]


async def test_speakers_need_no_collection() -> None:
    speakers = Speakers(Voices(0).embed, Diarizer(SpeakerOptions()), 1.0)
    job = await Desk(speakers=speakers, pacing=Offline()).recognition.recognise(pending())
    assert job.utterance.speaker == "S1" and job.fate is None


async def test_a_hung_voice_and_a_hung_recogniser_take_no_longer_than_either() -> None:
    voices = Voices(None)
    desk = Desk(speakers=voices.speakers(), whole=Whole(takes=99.0), pacing=Offline(), deadline=3.0)
    job = await desk.recognition.recognise(pending())
    assert since_start() == 3.0 and job.fault == "asr: nothing within 3.0 s"
    assert asyncio.all_tasks() == {asyncio.current_task()}
