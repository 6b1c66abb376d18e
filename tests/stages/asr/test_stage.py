"""The recognition stage: what is known already, and where sentences begin."""

import asyncio

import numpy as np

from stages.asr.stage import transcription
from stream.frames import Transcript, Utterance
from stream.timeline import TICK_RATE, Interval
from tests.helpers.scripted import Recogniser


def _utterance(index: int) -> Utterance:
    slot = Interval(index * TICK_RATE, (index + 1) * TICK_RATE)
    return Utterance(index, slot, np.zeros(0, np.float32), 0, "cut")


def test_what_is_recognised_in_pieces_has_capitals_where_sentences_begin() -> None:
    async def run() -> list[str]:
        transcribe = transcription(Recogniser())
        said = ("his name was Peter", "and he knew it.", "buses cross")
        return [
            (await transcribe(_utterance(index), Transcript(text, "en"))).text
            for index, text in enumerate(said)
        ]

    assert asyncio.run(run()) == ["His name was Peter", "and he knew it.", "Buses cross"]


def test_speech_in_which_no_word_was_found_is_recognised_once_more_as_a_whole() -> None:
    async def run(known: Transcript | None) -> str:
        return (await transcription(Recogniser())(_utterance(0), known)).text

    assert asyncio.run(run(Transcript("", "en"))) == "Utterance number 1"
    assert asyncio.run(run(None)) == "Utterance number 1"
    assert asyncio.run(run(Transcript("", "en", rejected="no speech"))) == ""
