import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base import Rendering
from stages.mt.continuation import LONGEST, Context, InContext, continuation
from stream.timeline import Interval, ticks

FLOOR = "Então vamos subir as escadas para o segundo andar, onde mantemos as pinturas."


def test_what_was_spoken_is_taken_off_at_the_front() -> None:
    spoken = "Então vamos subir as escadas para o segundo"
    rest = continuation(FLOOR, spoken, "floor, where we keep the paintings.")
    assert rest == "andar, onde mantemos as pinturas."


def test_a_beginning_in_slightly_other_words_is_the_same_beginning() -> None:
    rest = continuation(
        "Quando comecei aqui, o telhado estava vazando,",
        "Quando eu comecei aqui,",
        "the roof was leaking,",
    )
    assert rest == "o telhado estava vazando,"


@pytest.mark.parametrize(
    ("whole", "spoken"),
    [
        ("O gato dorme no sofá da sala", "Ontem choveu muito"),  # begins otherwise
        ("Ontem choveu", "Ontem choveu muito"),  # says no more
        ("", "Ontem choveu muito"),
    ],
)
def test_a_sentence_that_was_not_begun_so_has_no_rest(whole: str, spoken: str) -> None:
    assert continuation(whole, spoken, "on the roof of the house") is None


WORDS = st.lists(st.text("abcdefg", min_size=1, max_size=6), min_size=1, max_size=12)


@given(WORDS, WORDS)
def test_beginning_and_rest_make_the_whole(begun: list[str], rest: list[str]) -> None:
    # A word that tells the rest apart: otherwise the rest may repeat how the sentence began.
    whole = " ".join([*begun, "Xx,", *rest])
    assert continuation(whole, " ".join(begun), "") == " ".join(["Xx,", *rest])


class Model:
    """Translates by upper case, and a whole sentence otherwise than its beginning if told so."""

    def __init__(self, *, fickle: bool = False) -> None:
        self.fickle = fickle
        self.asked: list[str] = []

    async def translate(self, text: str) -> str:
        self.asked.append(text)
        return " ".join(reversed(text.upper().split())) if self.fickle else text.upper()

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        return [
            Rendering(text.upper(), -0.1),
            Rendering("AND NOW SOMETHING ELSE ALTOGETHER, MY FRIENDS", -0.2),
            Rendering(f"{text.upper()} INDEED", -0.3),
        ]

    async def aclose(self) -> None: ...


def test_a_sentence_is_translated_as_far_as_it_is_known() -> None:
    model = Model()
    rest = asyncio.run(InContext(model, "we go up", "WE GO UP").translate("the stairs"))
    assert (rest, model.asked) == ("THE STAIRS", ["we go up the stairs"])


def test_a_model_that_begins_otherwise_now_is_asked_for_what_is_new_alone() -> None:
    model = Model(fickle=True)
    rest = asyncio.run(InContext(model, "we go up", "WE GO UP").translate("the stairs"))
    assert (rest, model.asked[-1]) == ("STAIRS THE", "the stairs")


def test_only_alternatives_that_go_on_from_what_was_spoken_count() -> None:
    found = asyncio.run(InContext(Model(), "we go up", "WE GO UP").alternatives("the stairs", 4))
    assert [(r.text, r.score) for r in found] == [("THE STAIRS", -0.1), ("THE STAIRS INDEED", -0.3)]


def _slot(start: float, end: float) -> Interval:
    return Interval(ticks(start), ticks(end))


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
def test_what_continues_a_sentence(heard: str, start: float, speaker: str, continues: bool) -> None:
    context, model = Context(), Model()
    context.add(heard, heard.upper(), _slot(0, 2), "S1", new=True)
    chosen = context.translator(model, "the stairs", _slot(start, 4), speaker)
    assert (chosen is not model) == continues


def test_a_sentence_grows_until_it_ends() -> None:
    context, model = Context(), Model()
    heard = ["It rains. We go", "up", "the stairs.", "Then"]
    for place, text in enumerate(heard):
        slot = _slot(place, place + 1)
        chosen = context.translator(model, text, slot, "S1")
        spoken = asyncio.run(chosen.translate(text))
        assert spoken == text.upper()
        context.add(text, spoken, slot, "S1", new=chosen is model)
    assert model.asked == ["It rains. We go", "We go up", "We go up the stairs.", "Then"]
