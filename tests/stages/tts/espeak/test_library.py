import threading

import numpy as np
import pytest

from stages.base import EngineError
from stages.tts.espeak import library as espeak_library
from stages.tts.espeak.library import phonemes, speak, variants, version, voice_name

pytestmark = pytest.mark.skipif(not espeak_library.is_available(), reason="no eSpeak NG")


def test_phonemes_keep_punctuation() -> None:
    assert phonemes("Hello, world! Yes?", "en") == "həlˈoʊ, wˈɜːld! jˈɛs?"
    assert phonemes("Olá. Tudo bem", "pt").startswith("olˈa. ")
    assert "(" not in phonemes("o software novo", "pt")


@pytest.mark.parametrize("text", ["", " ", "\0", "😀", "\ud83d", "...", "a" * 10_000])
def test_phonemes_of_anything(text: str) -> None:
    phonemes(text, "en")


def test_calls_do_not_depend_on_each_other() -> None:
    first = speak("Uma frase qualquer para medir.", "pt-br", 175)
    speak("Другая речь.", "ru", 300)
    phonemes("something else", "en")
    assert np.array_equal(speak("Uma frase qualquer para medir.", "pt-br", 175), first)


def test_threads_take_turns() -> None:
    expected = speak("One sentence.", "en-us", 175)
    results: list[bool] = []

    def work() -> None:
        for _ in range(5):
            results.append(np.array_equal(speak("One sentence.", "en-us", 175), expected))
            phonemes("Bom dia", "pt")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 20


def test_lives_beside_the_one_inside_piper() -> None:
    piper = pytest.importorskip("piper.phonemize_espeak")
    theirs = piper.EspeakPhonemizer().phonemize("en-us", "Hello there")
    ours = phonemes("Bom dia", "pt")
    assert piper.EspeakPhonemizer().phonemize("en-us", "Hello there") == theirs
    assert phonemes("Bom dia", "pt") == ours


def test_unknown_voices_are_refused() -> None:
    with pytest.raises(EngineError, match="no voice 'xx'"):
        speak("a", "xx", 175)
    with pytest.raises(EngineError, match="no voice 'xx'"):
        phonemes("a", "xx-x")
    assert np.abs(speak("Still well.", "en-us", 175)).max() > 0.1


def test_names_and_versions() -> None:
    assert voice_name("zh") == "cmn"
    assert voice_name("pt_BR") == "pt-br"
    assert [voice_name(tag) for tag in ("zh-Hant", "de-AT", "es-419", "en-GB")] == [
        "cmn", "de", "es-419", "en-gb"
    ]  # fmt: skip
    assert version().startswith("1.")
    assert "f2" in variants()
