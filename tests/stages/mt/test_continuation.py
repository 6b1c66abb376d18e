"""A sentence translated as it grows."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base import Rendering, TargetWord
from stages.mt.continuation import LONGEST, Begun, Context, InContext, boundary, settled
from stream.dub.job import Heard
from stream.frames import Transcript, Utterance, Word
from stream.timeline import Interval, ticks
from tests.helpers.scripted import continuations


class Model:
    """Translates word by word into upper case, and calls a climb a climb once it is known."""

    def __init__(self, *, able: bool = True) -> None:
        self.able = able
        self.asked: list[tuple[str, str]] = []
        self.alone: list[str] = []

    async def translate(self, text: str) -> str:
        self.alone.append(text)
        return self._said(text)

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        self.asked.append((text, spoken))
        return continuations(self._said(text), text, spoken)[:count] if self.able else []

    async def aclose(self) -> None: ...

    def _said(self, text: str) -> str:
        return text.upper().replace("GO", "CLIMB") if "stairs" in text else text.upper()


def _heard(
    text: str, start: float, end: float, *, speaker: str = "S1", cut: bool = False, raw: str = ""
) -> Heard:
    slot = Interval(ticks(start), ticks(end))
    utterance = Utterance(
        0, slot, np.zeros(0, np.float32), 0, "cut" if cut else "pause", speaker=speaker
    )
    words = tuple(Word(word, start, end, 1.0) for word in (raw or text).split())
    return Heard(utterance, Transcript(text, "en", words))


def _up(before: str = "", last: str = "WE GO UP", **more: str) -> Begun:
    return Begun("we go up", before, last, speaker="S1", **more)


def _words(*sources: int) -> list[TargetWord]:
    return [TargetWord(f" w{n}", source) for n, source in enumerate(sources)]


async def test_a_sentence_goes_on_from_what_was_spoken() -> None:
    model = Model()
    rest = await InContext(model, _up(last="WE WALK UP.")).translate("the hill")
    # What mark follows is for the model to say.
    assert (rest, model.asked) == ("THE HILL", [("we go up the hill", "WE WALK UP")])


@pytest.mark.parametrize("able", [True, False])
async def test_what_cannot_be_continued_is_translated_alone(able: bool) -> None:
    model = Model(able=able)
    begun = _up(last="WE GO UP THE OLD HILL")  # too much was spoken already
    assert await InContext(model, begun).translate("the hill") == "THE HILL"
    assert model.alone == ["the hill"]


@pytest.mark.parametrize(
    ("begun", "rewording", "rest"),
    [
        (_up(), "WE CLIMB UP", "THE STAIRS"),
        (_up(last="WE CLIMB UP"), None, "THE STAIRS"),  # as it was
        (_up(before="WE", last="GO UP"), "CLIMB UP", "THE STAIRS"),  # the rest was heard
        (_up(lead="RAIN. "), "RAIN. WE CLIMB UP", "THE STAIRS"),
    ],
)
async def test_what_nobody_heard_yet_is_put_right(
    begun: Begun, rewording: str | None, rest: str
) -> None:
    model = Model()
    translator = InContext(model, begun)
    assert await translator.rewording("the stairs") == rewording
    if rewording is not None:
        translator.reworded()
    assert await translator.translate("the stairs") == rest
    assert begun.last == ("CLIMB UP" if begun.before else "WE CLIMB UP")
    assert len(model.asked) == 1


async def test_a_rewording_that_is_refused_changes_nothing() -> None:
    model, begun = Model(), _up()
    translator = InContext(model, begun)
    assert await translator.rewording("the stairs") == "WE CLIMB UP"
    assert await translator.translate("the stairs") == "THE STAIRS"
    assert (begun.last, model.asked[-1]) == ("WE GO UP", ("we go up the stairs", "WE GO UP"))


class Chain:
    """One track, utterance by utterance."""

    def __init__(self, model: Model) -> None:
        self.model, self.context = model, Context("en")

    async def say(self, heard: Heard) -> str:
        translator = self.context.translator(self.model, heard)
        said = await translator.translate(heard.transcript.text)
        self.context.add(heard, said, translator)
        return said


async def _say(model: Model, *heard: Heard) -> list[str]:
    chain = Chain(model)
    return [await chain.say(each) for each in heard]


async def test_the_newest_word_waits_where_the_speaker_goes_on() -> None:
    said = await _say(
        Model(),
        _heard("a woman with dark", 0, 1, cut=True),
        _heard("hair comes", 1, 2, cut=True),
        _heard("closer.", 2, 3),
    )
    assert said == ["A WOMAN WITH", "DARK HAIR", "COMES CLOSER."]


async def test_nothing_waits_at_a_pause_nor_where_nothing_would_be_left() -> None:
    assert await _say(Model(), _heard("a woman with dark", 0, 1)) == ["A WOMAN WITH DARK"]
    assert await _say(Model(), _heard("Dark", 0, 1, cut=True)) == ["DARK"]
    assert await _say(Model(), _heard("It is dark.", 0, 1, cut=True)) == ["IT IS DARK."]


async def test_what_waits_is_spoken_even_if_the_sentence_is_not_continued() -> None:
    begun, other = _heard("a woman with dark", 0, 1, cut=True), {"speaker": "S2"}
    assert (await _say(Model(), begun, _heard("Who?", 1, 2, **other)))[1] == "DARK WHO?"
    model = Model()
    chain = Chain(model)
    await chain.say(begun)
    model.able = False
    assert await chain.say(_heard("hair", 1, 2)) == "DARK HAIR"


async def test_alternatives_wait_for_the_same_word() -> None:
    model = Model()
    translator = InContext(model, _up(), goes_on=True)
    found = await translator.alternatives("the long", 3)
    assert [one.text for one in found] == ["THE"]
    assert translator.owed("THE") == "LONG"


@pytest.mark.parametrize(
    ("first", "start", "text", "raw", "whole"),
    [
        ("We go up.", 2.4, "But not now.", "But", "We go up, but not now."),
        ("It rains. We go up.", 2.4, "And then down.", "And", "We go up, and then down."),
        ("We go up.", 2.4, "The hill.", "the", "We go up the hill."),  # heard together, so written
        ("We go up.", 2.8, "The hill.", "the", "We go up the hill."),
        ("We go up.", 3.1, "The hill.", "the", None),  # after too long a silence
        ("We go up.", 2.4, "Then down.", "Then", None),
        ("We go up.", 2.7, "But not now.", "But", None),  # more than a breath
        ("Shall we go?", 2.4, "But not now.", "but", None),
    ],
)
async def test_a_sentence_that_seemed_over_goes_on(
    first: str, start: float, text: str, raw: str, whole: str | None
) -> None:
    model = Model()
    said = await _say(
        model, _heard(first, 0, 2), _heard(text, start, 4, raw=raw), _heard("Birds sing.", 4.4, 5)
    )
    assert said[1:] == [text.upper(), "BIRDS SING."]
    assert model.asked[1][0] == (whole or text)
    assert model.asked[2][0] == "Birds sing."


@pytest.mark.parametrize(
    ("heard", "start", "speaker", "continues"),
    [
        ("we go up", 2.5, "S1", True),
        ("We go up.", 2.5, "S1", False),
        ("Is it so?", 2.5, "S1", False),
        ("we go up", 3.5, "S1", False),  # after too long a silence
        ("we go up", 2.5, "S2", False),
        ("we go " + "up " * (LONGEST // 3), 2.5, "S1", False),
    ],
)
async def test_what_continues_a_sentence(
    heard: str, start: float, speaker: str, continues: bool
) -> None:
    model = Model()
    await _say(model, _heard(heard, 0, 2), _heard("The hill", start, 4, speaker=speaker))
    assert model.asked[1] == (
        (f"{heard} The hill", heard.upper()) if continues else ("The hill", "")
    )


async def test_a_sentence_grows_until_it_ends() -> None:
    model = Model()
    texts = ["It rains. We go", "up", "the hill.", "Then"]
    said = await _say(model, *(_heard(text, n, n + 1) for n, text in enumerate(texts)))
    assert said == [text.upper() for text in texts]
    assert [text for text, _ in model.asked] == [
        "It rains. We go", "We go up", "We go up the hill.", "Then",
    ]  # fmt: skip


def test_a_translation_is_cut_where_fewest_words_stand_on_the_wrong_side() -> None:
    assert boundary(_words(0, 3, 8, 12), 8) == 2
    assert boundary(_words(0, 8, 3, 12), 8) in (1, 3)
    assert boundary(_words(8, 12), 8) == 0
    assert boundary(_words(0, 3), 8) == 2
    assert settled(_words(0, 9, 3), 8) == 1


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(0, 21))
def test_no_other_cut_is_better(sources: Sequence[int], added: int) -> None:
    def wrong(at: int) -> int:
        return sum(s >= added for s in sources[:at]) + sum(s < added for s in sources[at:])

    at = boundary(_words(*sources), added)
    assert wrong(at) == min(map(wrong, range(len(sources) + 1)))
    kept = settled(_words(*sources), added)
    assert all(source < added for source in sources[:kept])
