"""Speakers told apart in whole runs, and a voice for each."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from server.config import Config, ConfigError, load
from server.engines.pool import LaneEngines, SourceEngines
from server.evaluation.report import Report
from server.sessions.casting import Casting
from server.sessions.file import FileSession
from stages.base import EngineError
from stages.speakers.voice_store import write_clip
from stages.tts.espeak.engine import Espeak
from stages.tts.espeak.library import speak
from stages.vad import SileroDetector
from stages.weights.resolve import resolve
from stream.frames import Fate, Manner, Samples, Utterance
from stream.media.sink import FileSink
from stream.media.source import MediaSource
from stream.sound.resample import resample
from stream.timeline import TICK_RATE, Interval
from tests.helpers.scripted import Encoder, Recogniser, Synthesiser, Translator

TURNS = (
    ("m3", "The trip itself takes about eleven minutes, as you will see."),
    ("f2", "Please keep your bags and your children with you at all times."),
    ("f2", "On your left, you can see the old market and the town hall."),
    ("m3", "Now look up at the bridge in front of us, it is very old."),
)
RATE = 22_050


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A man, a woman twice, and the man again."""
    pause = np.zeros(round(0.9 * RATE), np.float32)
    parts = [piece for v, text in TURNS for piece in (pause, speak(text, f"en-us+{v}", 170))]
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    write_clip(path, np.concatenate([*parts, pause]))
    return path


class Remembering(Synthesiser):
    def __init__(self, clones: bool = False) -> None:
        self.clones = clones
        self.manners: list[Manner] = []

    def check_voice(self, name: str) -> None:
        if name not in ("anna", "otto"):
            raise EngineError(f"no voice '{name}', only anna and otto")

    async def synthesise(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        self.manners.append(manner)
        async for piece in super().synthesise(text, manner):
            yield piece


def configured(*assignments: str) -> Config:
    both = ["speakers.engine=ge2e", "asr.mode=utterance"]
    return load(assignments=[*both, *assignments], environment={})


def dub(path: Path, out: Path, config: Config, encoder: object, synthesiser: object) -> Report:
    async def run() -> Report:
        engines = SourceEngines(SileroDetector(), Recogniser(), encoder)  # type: ignore[arg-type]
        lane = LaneEngines(Translator(), synthesiser)  # type: ignore[arg-type]
        source = MediaSource(str(path))
        sink = FileSink(out, source.info, language="pt", source_language="en")
        try:
            return (await FileSession(config, engines, lane, source, sink).run()).report
        finally:
            for engine in (synthesiser, encoder):
                if engine is not None:
                    await engine.aclose()  # type: ignore[attr-defined]

    return asyncio.run(run())


def real_encoder() -> object:
    try:
        resolve("ge2e")
    except EngineError as error:
        pytest.skip(str(error))
    from stages.speakers.ge2e import Ge2e

    return Ge2e()


def test_two_people_are_told_apart_and_each_gets_a_voice(talk: Path, tmp_path: Path) -> None:
    encoder, out = real_encoder(), tmp_path / "out.mka"
    config = configured("tts.engine=espeak", "tts.voices={S1: f2, S2: m3}", "playout.bed=mute")
    report = dub(talk, out, config, encoder, Espeak(language="en"))
    assert [u.speaker for u in report.utterances] == ["S1", "S2", "S2", "S1"]
    assert report.summary.stage_s["speakers"] > 0
    # The dub has the voices exchanged: the man is heard as a woman.
    with av.open(str(out)) as media:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        frames = [f for frame in media.decode(audio=1) for f in resampler.resample(frame)]
    sound = np.concatenate([f.to_ndarray()[0] for f in frames])
    man, woman = (
        encoder.embedding(
            np.concatenate([speak("utterance number 2 traduzida", f"en-us+{v}", 175)])
        )  # type: ignore[attr-defined]
        for v in ("m3", "f2")
    )
    heard = [
        encoder.embedding(sound[round(u.dub[0] * 16_000) : round(u.dub[1] * 16_000)])  # type: ignore[attr-defined]
        for u in report.utterances
        if u.dub
    ]
    assert len(heard) == 4
    assert heard[0] @ heard[3] > heard[0] @ heard[1]
    assert heard[1] @ heard[2] > heard[1] @ heard[3]
    assert (heard[0] - heard[1]) @ (woman - man) > 0


def test_everybody_gets_a_voice_of_their_own_register(talk: Path, tmp_path: Path) -> None:
    config = load(assignments=["asr.mode=utterance"], environment={})
    report = dub(talk, tmp_path / "out.mka", config, None, Espeak(language="en"))
    assert [u.speaker for u in report.utterances] == ["S1", "S2", "S2", "S1"]
    assert [u.voice for u in report.utterances] == ["default", "f2", "f2", "default"]


class Several(Remembering):
    registers = {"otto": 100.0, "anna": 200.0}


async def cast(casting: Casting, variants: Sequence[str]) -> list[tuple[str, str]]:
    """Label and voice of each utterance, as recognition and synthesis ask for them."""
    parts = [casting.part(Several()) for _ in range(2)]
    speakers, found = casting.speakers, []
    assert speakers is not None
    for number, (variant, (_, text)) in enumerate(zip(variants, TURNS, strict=True)):
        sound = resample(speak(text, f"en-us+{variant}", 170), RATE, 16_000)
        label = speakers.diarizer.assign(await speakers.embed(sound), len(sound) / 16_000)
        said = utterance(label, sound, number * TICK_RATE)
        await speakers.collect(said, 0.0)
        voices = {part.voice(label, said.slot.start) for part in parts}
        assert len(voices) == 1, "the voices of every language are chosen alike"
        found.append((label, voices.pop()))
    await casting.aclose()
    return found


@pytest.mark.parametrize("encoder", [None, Encoder(RuntimeError("no")), Encoder(30.0)])
async def test_registers_tell_speakers_where_no_encoder_does(encoder: Encoder | None) -> None:
    casting = Casting(load(assignments=["speakers.deadline=0.1"], environment={}), encoder)
    turns = await cast(casting, [variant for variant, _ in TURNS])
    assert turns == [("S1", "otto"), ("S2", "anna"), ("S2", "anna"), ("S1", "otto")]


async def test_one_persons_clip_keeps_one_voice() -> None:
    assert await cast(Casting(load(environment={}), None), ["f3"] * 4) == [("S1", "anna")] * 4


def test_nobody_is_told_apart_where_nothing_depends_on_it() -> None:
    for settings, synthesiser in (
        ([], Remembering()),
        (["speakers.engine=none"], Several()),
        (["tts.voice=default"], Several()),
    ):
        casting = Casting(load(assignments=settings, environment={}), Encoder())
        assert casting.part(synthesiser).voice("S1", 0) == ""
        assert casting.speakers is None


@pytest.mark.parametrize("fault", [RuntimeError("no"), 30.0])
def test_a_faulty_encoder_costs_no_dub(
    talk: Path, tmp_path: Path, fault: Exception | float
) -> None:
    config = configured("speakers.deadline=0.05")
    report = dub(talk, tmp_path / "out.mka", config, Encoder(fault), Synthesiser())
    assert [(u.speaker, u.fate) for u in report.utterances] == [("S1", Fate.ON_TIME)] * 4


def test_each_speaker_has_the_voice_of_the_map(talk: Path, tmp_path: Path) -> None:
    synthesiser = Remembering()
    config = configured("tts.voices={S2: anna}", "speakers.threshold=0.99")
    report = dub(talk, tmp_path / "out.mka", config, Encoder(), synthesiser)
    assert len({u.speaker for u in report.utterances}) >= 2
    for said, manner in zip(report.utterances, synthesiser.manners, strict=True):
        assert manner.speaker == said.speaker
        assert manner.voice == said.voice == ("anna" if said.speaker == "S2" else "")


def utterance(speaker: str, sound: Samples, start: int = 0) -> Utterance:
    return Utterance(0, Interval(start, start + 3 * len(sound)), sound, 0, "pause", speaker)


async def test_a_speakers_own_voice_is_used_once_there_is_enough() -> None:
    clean = resample(speak(" ".join(t for _, t in TURNS[:2]), "en-us+m3", 170), RATE, 16_000)
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32) * 0.1

    casting = Casting(configured("tts.voice=auto", "tts.consent=true"), Encoder())
    part = casting.part(Remembering(clones=True))
    assert casting.speakers is not None
    collect = casting.speakers.collect
    await collect(utterance("S1", clean + noise), 1.0)  # too noisy
    await collect(utterance("S1", clean), 0.5)  # perhaps two people
    await collect(utterance("S1", clean), 1.0)
    assert part.voice("S1", 0) == ""
    await collect(utterance("S1", clean), 1.0)
    path = Path(part.voice("S1", 0))
    with av.open(str(path)) as media:
        seconds = float(media.duration / av.time_base)  # type: ignore[operator]
    assert 8 <= seconds <= 20 and part.voice("S2", 0) == ""
    await casting.aclose()
    assert not path.parent.exists()


def test_voices_that_cannot_be_are_refused_before_the_start(talk: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="only anna and otto"):
        Casting(configured("tts.voices={S1: anne}"), Encoder()).part(Remembering())
    with pytest.raises(EngineError, match="choose one that clones"):
        Casting(configured("tts.voice=auto", "tts.consent=true"), Encoder()).part(Remembering())


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["tts.voice=auto", "speakers.engine=ge2e"], "set tts.consent to true"),
        (["tts.voice=auto", "tts.consent=true"], "speakers.engine is auto"),
        (["tts.voices={S1: a}"], "speakers.engine is auto"),
        (["tts.voices={bob: a}", "speakers.engine=ge2e"], "has 'bob', but speakers are S1"),
        (["speakers.engine=magic"], "must be one of auto, none, ge2e"),
        (["speakers.max=0"], "speakers.max is 0"),
        (["asr.denoise=arnndn"], "needs asr.denoise_model"),
        (["tts.listener=tiny"], "which tts.engine auto does not: set it to xtts"),
    ],
)
def test_mistakes_are_said_in_a_sentence(assignments: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(assignments=assignments, environment={})
