"""Whisper as a translator of speech, on the smallest thing that it can do here."""

import asyncio

import pytest

from stages.asr.whisper import FasterWhisper
from stages.asr.whisper_translator import WhisperTranslator
from stages.base import EngineError
from stages.weights.resolve import is_here
from stream.frames import Samples

needs_base = pytest.mark.skipif(not is_here("base"), reason="the weights are not installed")


@needs_base
def test_one_model_recognises_and_translates(speech: Samples, sentence: str) -> None:
    async def run() -> str:
        recogniser = FasterWhisper("base", "en", threads=1)
        translator = WhisperTranslator("base", "en", threads=1)
        assert translator._model is recogniser._model
        again = FasterWhisper("base", "en", threads=1)
        assert again._model is not recogniser._model  # made anew because the first one failed
        said = await translator.translate_speech(speech)
        begun = " ".join(said.split()[:3])
        assert f"{begun} {await translator.translate_speech(speech, begun)}" == said
        likely = await recogniser.languages(speech)
        assert max(likely, key=likely.__getitem__) == "en" and set(likely) <= set(recogniser.known)
        for engine in (recogniser, translator, again):
            await engine.aclose()
        assert not recogniser._model.users and not again._model.users
        return said

    assert sentence.split()[0].lower() in asyncio.run(run()).lower()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "pt"}, "into English alone, not into 'pt'"),
        ({"model": "large-v3-turbo"}, "was not trained to translate"),
        ({"model": "tiny.en"}, "was not trained to translate"),
    ],
    ids=str,
)
def test_what_cannot_be_translated_is_one_sentence(options: dict[str, str], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        WhisperTranslator(**options)  # type: ignore[arg-type]
