"""Live sessions on real media and real voice activity."""

import asyncio
import subprocess
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

import server.engines.shared
from benchmarks.demo_clip import Clip
from server.sessions.live import LiveSession
from stream.clock.due import DUE
from stream.frames import PLAIN, AudioChunk, Fate, Manner, PicturePacket, Samples, Transcript
from stream.live.connection import Connection
from stream.live.feed import ORIGINAL, voice_of
from stream.live.source import LAYOUT, MediaConnection
from stream.media.live_input import LiveInput
from stream.media.pictures import SoundAndPicture
from stream.media.source import MediaSource
from stream.timeline import TICK_RATE
from tests.helpers.live_sessions import DELAY, Seen, Stalling, at_once, from_file, joining, watch
from tests.helpers.scripted import (
    HangingSynthesiser,
    Hindsight,
    Recogniser,
    ScriptedPool,
    Synthesiser,
    Translator,
)
from tests.helpers.threads import ours_since
from tests.helpers.virtual_time import run_virtual

pytestmark = pytest.mark.virtual_time


def _buzz(sound: Samples) -> Samples:
    """Level of 2 kHz in each 10 ms of the left channel."""
    frames = sound[: len(sound) // 480 * 480, 0].reshape(-1, 480)
    wave = np.exp(-2j * np.pi * 2000 * np.arange(480) / TICK_RATE)
    level: Samples = np.abs(frames @ wave) / 240
    return level


class _OfTwo(Synthesiser):
    """Has two voices, and remembers in which it spoke."""

    registers = {"man": 100.0, "woman": 200.0}

    def __init__(self) -> None:
        self.voices: list[str] = []

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        self.voices.append(manner.voice)
        async for piece in super().synthesise(text, manner):
            yield piece


def _contiguous(blocks: list[AudioChunk]) -> bool:
    return blocks[0].start == 0 and all(
        a.end == b.start for a, b in zip(blocks, blocks[1:], strict=False)
    )


@pytest.fixture(scope="module")
def watched(clip: Clip) -> Seen:
    """A session of one publisher and two languages, of which nothing else is asked."""
    return run_virtual(watch([at_once(from_file(clip))], targets=("pt", "es")))


def test_dub_picture_and_original_keep_the_sources_time(clip: Clip, watched: Seen) -> None:
    seen = watched
    assert seen.fates() == ["on_time"] * 6
    assert all(map(_contiguous, seen.sound.values()))

    source = MediaSource(str(clip.path), layout=LAYOUT)
    items = list(SoundAndPicture(source))
    sound = np.concatenate([i.samples for i in items if isinstance(i, AudioChunk)])
    coded = [i for i in items if isinstance(i, PicturePacket)]
    source.close()
    heard = seen.track(ORIGINAL)
    assert np.array_equal(heard[: len(sound)], sound[: len(heard)])
    assert [p.time for p in seen.pictures] == [i.time for i in coded]
    assert [p.data for p in seen.pictures] == [i.data for i in coded]

    for track in ("pt", "es"):
        buzz = _buzz(seen.track(track)) > 0.02
        onsets = np.flatnonzero(buzz[1:] & ~buzz[:-1]) * 0.01 + 0.01
        starts = [e.start / TICK_RATE for e in seen.events if e.kind == "dub" and e.track == track]
        assert len(starts) == 3
        for start in starts:
            assert np.abs(onsets - start).min() < 0.03
        # The mix is the voice alone and the original at a gain of its own, to the sample.
        voice = seen.track(voice_of(track))
        assert (_buzz(voice) > 0.02).sum() > 100
        bed = seen.track(track) - voice
        assert np.all(np.abs(bed) <= np.abs(heard) + 1e-4)
        alone = ~voice.any(axis=1)
        assert np.abs(bed[alone]).max() > 0.1 * np.abs(heard[alone]).max() > 0.01
    kinds = [(e.kind, e.track) for e in seen.events if e.utterance == 0]
    assert kinds[0] == ("transcript", ORIGINAL)
    for track in ("pt", "es"):
        mine = [kind for kind, of in kinds if of == track]
        assert mine == ["translation", "dub", "fate"]


async def test_a_stall_freezes_nobody_and_shifts_nothing(clip: Clip) -> None:
    """6 s of stall with 4 s of delay: two seconds are lost, the rest is where it belongs."""
    seen = await watch([at_once(Stalling(from_file(clip), at=3.0, length=6.0))])
    assert _contiguous(seen.sound["pt"])
    original, whole = seen.track(ORIGINAL), MediaSource(str(clip.path), layout=LAYOUT)
    sound = np.concatenate([i.samples for i in whole if hasattr(i, "samples")])
    whole.close()
    length = min(len(original), len(sound))
    same = np.all(original[:length] == sound[:length], axis=1)
    assert same[: 3 * TICK_RATE].all()
    lost = np.flatnonzero(~same)
    assert len(lost) / TICK_RATE <= 2.0, "more was lost than the delay could not cover"
    assert same[lost[-1] + 1 :].all() and lost[-1] < 7.5 * TICK_RATE
    times = [packet.time for packet in seen.pictures]
    assert times == sorted(times) and len(times) > 8 * 25
    assert seen.fates() == ["dropped", "late", "on_time"]  # dubs are heard again


async def test_a_publisher_who_returns_meets_the_same_viewers_in_sync(clip: Clip) -> None:
    seen = await watch([at_once(from_file(clip)), joining(2.0, clip)])
    assert seen.session is not None and seen.session.source.connections == 2
    assert _contiguous(seen.sound["pt"])
    times = [packet.time for packet in seen.pictures]
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
    gap = max(b - a for a, b in zip(times, times[1:], strict=False)) / TICK_RATE
    assert 2.0 <= gap < 2.15
    assert seen.fates() == ["on_time"] * 6
    # The second stay is the first one again: its sound is as far from its picture.
    second = next(
        i for i, (a, b) in enumerate(zip(times, times[1:], strict=False), 1) if b - a > TICK_RATE
    )
    shift = times[second] - times[0]
    dubs = [e.start for e in seen.events if e.kind == "transcript"]
    for first, again in zip(dubs[:3], dubs[3:], strict=True):
        assert abs(again - first - shift) < 0.07 * TICK_RATE


async def test_a_voice_that_hangs_gives_the_original_back_and_is_restarted(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def create(kind: str, name: str, **options: object) -> object:
        made.append(kind)
        return Synthesiser()

    monkeypatch.setattr(server.engines.shared, "create", create)
    restarted: list[str] = []
    pool = ScriptedPool(synthesiser=HangingSynthesiser(), on_restart=restarted.append)
    seen = await watch([at_once(from_file(clip)), joining(0.5, clip)], pool=pool)
    assert restarted == ["tts"] and made == ["tts"]
    assert seen.fates()[-2:] == ["on_time"] * 2  # heard again
    # Utterance 0 broke off half way: from a second after it, its original is at full level.
    first = next(e for e in seen.events if e.kind == "fate" and e.utterance == 0)
    after = slice(first.end + round(1.2 * TICK_RATE), first.end + round(1.6 * TICK_RATE))
    ours, theirs = seen.track("pt")[after], seen.track(ORIGINAL)[after]
    assert np.abs(theirs).max() > 0.01
    assert np.allclose(ours, theirs, atol=1e-3)


async def test_what_has_come_is_dubbed_before_a_drained_session_ends(clip: Clip) -> None:
    async def drain(session: LiveSession) -> None:
        await asyncio.sleep(3.2)
        await session.drain()

    seen = await watch([at_once(from_file(clip))], meanwhile=drain)
    assert len(seen.track("pt")) / TICK_RATE == pytest.approx(3.2, abs=0.1)
    assert seen.fates() == ["on_time"]


async def test_stopping_leaves_no_task_and_no_thread(clip: Clip) -> None:
    async def stop(session: LiveSession) -> None:
        await asyncio.sleep(2.5)
        await session.stop()

    async def run() -> None:
        await watch([at_once(from_file(clip))], meanwhile=stop)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = set(threading.enumerate())
    await run()
    assert not ours_since(before)
    # The loop's own threads end with it.
    assert all(one.name.startswith("asyncio_") for one in set(threading.enumerate()) - before)


async def test_the_muted_bed_opens_where_no_dub_comes(clip: Clip) -> None:
    class Mute(Synthesiser):
        async def synthesise(
            self, text: str, manner: Manner = PLAIN
        ) -> AsyncGenerator[Samples, None]:
            await asyncio.sleep(3600)
            yield np.zeros(0, np.float32)

    seen = await watch(
        [at_once(from_file(clip))],
        pool=ScriptedPool(synthesiser=Mute()),
        settings=("playout.bed=mute",),
    )
    assert set(seen.fates()) <= {"dropped", "failed"} and seen.fates()
    start = next(e for e in seen.events if e.kind == "transcript").start
    heard = seen.track("pt")[start + TICK_RATE // 2 : start + TICK_RATE]
    original = seen.track(ORIGINAL)[start + TICK_RATE // 2 : start + TICK_RATE]
    assert np.allclose(heard, original, atol=1e-3) and np.abs(original).max() > 0.05


def test_counts_tell_what_became_of_the_utterances(watched: Seen) -> None:
    assert watched.session is not None
    for track in ("pt", "es"):
        counts = watched.session.counts[track]
        assert counts.fates[Fate.ON_TIME] == 3 and counts.on_time_rate == 1.0
    assert min(watched.lateness) >= 0 and max(watched.lateness) < 0.01


async def test_transcripts_say_what_speaks_against_their_words(clip: Clip) -> None:
    class Terse(Recogniser):
        async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
            return Transcript("Oh", "en")

    seen = await watch([at_once(from_file(clip))], pool=ScriptedPool(recogniser=Terse()))
    said = [event for event in seen.events if event.kind == "transcript"]
    long = [event for event in said if event.end - event.start > 2 * TICK_RATE]
    assert long and all(event.as_json()["doubts"] == ["few_words"] for event in long)
    assert all("doubts" not in event.as_json() for event in seen.events if event not in long)


async def test_transcripts_say_who_speaks_where_speakers_are_told_apart(clip: Clip) -> None:
    seen = await watch([at_once(from_file(clip))], settings=("speakers.engine=ge2e",))
    said = [event for event in seen.events if event.kind == "transcript"]
    assert len(said) == 3
    assert said[0].speaker == "S1" and all(event.as_json()["speaker"] for event in said)
    assert all("speaker" not in e.as_json() for e in seen.events if e.kind != "transcript")
    assert len(seen.fates()) == 3


async def test_a_speaker_keeps_their_voice_when_the_publisher_returns(clip: Clip) -> None:
    voice = _OfTwo()
    pool = ScriptedPool(synthesiser=voice)
    seen = await watch([at_once(from_file(clip)), joining(2.0, clip)], pool=pool)
    assert seen.session is not None and seen.session.source.connections == 2
    assert voice.voices == ["man"] * 6
    said = [event.speaker for event in seen.events if event.kind == "transcript"]
    assert said == ["S1"] * 6


async def test_a_publisher_may_come_back_with_another_picture_and_another_sound(
    clip: Clip, tmp_path: Path
) -> None:
    other = tmp_path / "other.flv"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-i", str(clip.path), "-vf", "scale=320:180",
            "-c:v", "libx264",
            "-preset", "ultrafast", "-ar", "22050", "-ac", "1", "-c:a", "aac",
            "-output_ts_offset", "5000", str(other),
        ],
        check=True,
    )  # fmt: skip

    async def again() -> Connection:
        return MediaConnection(LiveInput(other, LAYOUT, live=False).open, paced=True)

    seen = await watch([at_once(from_file(clip)), again])
    assert seen.fates() == ["on_time"] * 6
    assert _contiguous(seen.sound["pt"])
    sizes = list(dict.fromkeys((p.format.width, p.format.height) for p in seen.pictures))
    assert sizes == [(160, 90), (320, 180)]
    times = [packet.time for packet in seen.pictures]
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
    assert times[-1] / TICK_RATE < 2 * clip.duration + 2


class Halves(Recogniser):
    """Hears a sentence in two utterances, again and again."""

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        self.calls += 1
        return Transcript("We go up" if self.calls % 2 else "the old stairs.", "en")


async def test_viewers_are_told_the_better_words_before_they_hear_them(clip: Clip) -> None:
    pool = ScriptedPool(recogniser=Halves(), translator=Hindsight())
    mode = "asr.mode=utterance"
    seen = await watch([at_once(from_file(clip))], pool=pool, settings=(mode,), delay=8.0)
    first = [e for e in seen.events if e.utterance == 0 and e.track == "pt"]
    assert [e.kind for e in first] == ["translation", "dub", "translation", "dub", "fate"]
    assert [e.text for e in first if e.kind == "translation"] == ["WE GO UP", "WE CLIMB UP"]
    assert seen.fates() == ["on_time"] * 3
    second = [e.text for e in seen.events if e.utterance == 1 and e.kind == "translation"]
    assert second == ["THE OLD STAIRS."]


async def test_recognition_while_people_speak_serves_every_language(clip: Clip) -> None:
    settings = ("asr.mode=incremental", "segment.late_pause=0.5")
    left: dict[str, list[float]] = {"asr": [], "mt": []}

    def note(stage: str) -> None:
        left[stage].append(DUE.get() - asyncio.get_running_loop().time())

    class HurriedRecogniser(Recogniser):
        async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
            note("asr")
            return await super().recognise(audio, words=words)

    class HurriedTranslator(Translator):
        async def translate(self, text: str) -> str:
            note("mt")
            return await super().translate(text)

    pool = ScriptedPool(recogniser=HurriedRecogniser(), translator=HurriedTranslator())
    seen = await watch(
        [at_once(from_file(clip))], pool=pool, settings=settings, targets=("pt", "es")
    )
    # Engines that sessions share know when the viewer sees what they work at.
    assert all(0 < time < DELAY for stage in left.values() for time in stage)
    assert len(left["mt"]) == 2 * len(clip.sentences)
    heard = [event for event in seen.events if event.kind == "transcript"]
    assert [event.utterance for event in heard] == list(range(len(clip.sentences)))
    for event, sentence in zip(heard, clip.sentences, strict=True):
        assert abs(event.start / TICK_RATE - sentence.start) < 0.1
    for target in ("pt", "es"):
        translated = [e for e in seen.events if e.kind == "translation" and e.track == target]
        assert [(e.utterance, e.start, e.end) for e in translated] == [
            (e.utterance, e.start, e.end) for e in heard
        ]
    assert "failed" not in seen.fates()
