import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from stages.base import Rendering
from stages.mt.stage import translation
from stages.options import MtConfig
from stream.dub.job import Heard, StageFault, Translated
from stream.frames import Transcript, Utterance
from stream.timeline import TICK_RATE, Interval
from tests.helpers.scripted import Hindsight
from tests.helpers.virtual_time import run_virtual

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


async def _refuses(before: int, text: str, following: Heard) -> bool:
    return False


async def _both() -> list[Rendering]:
    return [Rendering(LONG, -0.1), Rendering(SHORT, -0.2)]


async def _fails() -> list[Rendering]:
    raise RuntimeError("the beam broke")


async def _hangs() -> list[Rendering]:
    await asyncio.sleep(3600)
    return []


class _BySound:
    """Takes loud speech for a word, and understands nothing else."""

    cost = 0.0

    async def translate_speech(self, speech: np.ndarray, spoken: str = "") -> str:
        return "Hello." if speech.max(initial=0) > 0.5 else " "

    async def aclose(self) -> None: ...


async def test_a_translator_of_speech_gets_the_sound() -> None:
    translate = translation(_BySound(), MtConfig(glossary={"olá": "hi"}), "pt", _expected, _refuses)
    loud, silent = np.ones(9, np.float32), np.zeros(9, np.float32)
    heard = [
        Heard(Utterance(0, Interval(0, 27), sound, 0, "pause"), Transcript("olá", "pt"))
        for sound in (loud, silent)
    ]
    async with asyncio.timeout(None) as limit:
        assert await translate(heard[0], limit) == Translated("Hello.")
        with pytest.raises(StageFault, match="no translation"):
            await translate(heard[1], limit)


def _heard(id_: int, text: str, slot: Interval) -> Heard:
    return Heard(Utterance(id_, slot, np.zeros(0, np.float32), 0, "pause"), Transcript(text, "en"))


def _translated(
    translator: Translator,
    slot: float,
    options: MtConfig | None = None,
    text: str = "something",
) -> Translated:
    translate = translation(translator, options or MtConfig(), "en", _expected, _refuses)

    async def run() -> Translated:
        async with asyncio.timeout(0.4) as limit:
            return await translate(_heard(0, text, Interval(0, round(slot * TICK_RATE))), limit)

    return run_virtual(run())


def test_a_shorter_translation_is_chosen_where_the_first_does_not_fit() -> None:
    job = _translated(Translator(_both), slot=1.2)
    assert job == Translated(SHORT, 2, 1)


def test_one_that_fits_is_taken_as_it_is() -> None:
    translator = Translator(_both)
    job = _translated(translator, slot=2.9)
    assert job == Translated(LONG)
    assert translator.asked == 0


def test_no_others_are_asked_for_where_none_are_wanted() -> None:
    translator = Translator(_both)
    assert _translated(translator, 1.2, MtConfig(alternatives=1)).text == LONG
    assert translator.asked == 0


@pytest.mark.parametrize("fault", [_fails, _hangs])
def test_the_first_is_spoken_where_others_cannot_be_had(
    fault: Callable[[], Awaitable[list[Rendering]]],
) -> None:
    job = _translated(Translator(fault), slot=1.2)
    assert job == Translated(LONG)


def test_no_translation_is_a_fault() -> None:
    with pytest.raises(StageFault):
        _translated(Translator(_both), 1.2, text=" ")


@pytest.mark.parametrize("grants", [True, False])
async def test_what_was_spoken_already_is_put_right_while_nobody_has_heard_it(grants: bool) -> None:
    asked: list[tuple[int, str, int]] = []

    said: list[str] = []

    async def reword(before: int, text: str, following: Heard) -> bool:
        asked.append((before, text, following.id))
        if grants:
            said[before] = text
        return grants

    async def run() -> None:
        translate = translation(Hindsight(), MtConfig(), "en", lambda text: TICK_RATE, reword)
        for index, text in enumerate(("we go up", "the old stairs.", "It rains.")):
            slot = Interval(index * TICK_RATE, (index + 1) * TICK_RATE)
            async with asyncio.timeout(None) as limit:
                said.append((await translate(_heard(index, text, slot), limit)).text)

    await run()
    assert asked == [(0, "WE CLIMB UP", 1)]
    assert said == ["WE CLIMB UP" if grants else "WE GO UP", "THE OLD STAIRS.", "IT RAINS."]


class Derailed(Translator):
    """Whose first translation, and whose likeliest alternative, has brackets."""

    def __init__(self, others: list[str]) -> None:
        async def found() -> list[Rendering]:
            return [Rendering(text, -0.1 * n) for n, text in enumerate(others)]

        super().__init__(found)

    async def translate(self, text: str) -> str:
        return "Algo (a) de"


@pytest.mark.parametrize("slot", [1.1, 5.0])
def test_a_broken_translation_makes_way_for_the_next_one(slot: float) -> None:
    found = _translated(Derailed(["Algo (a) de", "Alguma coisa"]), slot)
    assert found.text == "Alguma coisa" and found.mended and found.broken is None


def test_where_all_are_broken_the_first_stays_and_is_told() -> None:
    for others in ([], ["Algo (b)"]):
        found = _translated(Derailed(others), 1.1)
        assert found == Translated("Algo (a) de", broken="stray brackets")


async def test_a_glossary_that_changes_holds_from_the_next_utterance_on() -> None:
    class Echo:
        cost = 0.0

        async def translate(self, text: str) -> str:
            return text

        async def aclose(self) -> None: ...

    terms: list[dict[str, str]] = [{}, {"disk": "disco"}, {"disk": "prato"}, {}]
    options, slot = MtConfig(context=False), Interval(0, TICK_RATE)
    translate = translation(
        Echo(), options, "en", lambda text: TICK_RATE, _refuses, glossary=lambda: terms[0]
    )
    said = []
    async with asyncio.timeout(None) as limit:
        while terms:
            said.append((await translate(_heard(len(said), "a disk", slot), limit)).text)
            terms.pop(0)
    assert said == ["a disk", "a disco", "a prato", "a disk"]
