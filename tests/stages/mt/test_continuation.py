import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base import Rendering
from stages.mt.continuation import LONGEST, Begun, Context, InContext, continuation
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


def _up(before: str = "", last: str = "WE GO UP") -> Begun:
    return Begun("we go up", before, last, lead="", end=0, speaker="S1")


async def test_a_sentence_is_translated_as_far_as_it_is_known() -> None:
    model = Model()
    rest = await InContext(model, _up()).translate("the stairs")
    assert (rest, model.asked) == ("THE STAIRS", ["we go up the stairs"])


async def test_a_model_that_begins_otherwise_now_is_asked_for_what_is_new_alone() -> None:
    model = Model(fickle=True)
    rest = await InContext(model, _up()).translate("the stairs")
    assert (rest, model.asked[-1]) == ("STAIRS THE", "the stairs")


async def test_only_alternatives_that_go_on_from_what_was_spoken_count() -> None:
    found = await InContext(Model(), _up()).alternatives("the stairs", 4)
    assert [(r.text, r.score) for r in found] == [("THE STAIRS", -0.1), ("THE STAIRS INDEED", -0.3)]


def _slot(start: float, end: float) -> Interval:
    return Interval(ticks(start), ticks(end))


@pytest.mark.parametrize(
    ("begun", "rewording"),
    [
        (_up(), None),  # as it was
        (_up(last="WE GO UP."), "WE GO UP"),
        (_up(last="WE WALK UP,"), "WE GO UP"),
        (_up(before="WE", last="WALK UP"), "GO UP"),  # of what was spoken last alone
        (_up(before="HE", last="GO UP."), None),  # what is fixed is not what is spoken now
        (_up(last="SOMETHING ELSE ALTOGETHER"), None),
        (_up(last="WE GO UP THE STAIRS"), None),  # nothing would be left to say
        (Begun("we go up", "", "WE WALK UP", "LET US. ", 0, "S1"), "LET US. WE GO UP"),
    ],
)
async def test_what_was_spoken_last_as_the_sentence_reads_now(begun: Begun, rewording: str) -> None:
    model = Model()

    async def run() -> tuple[str | None, str]:
        translator = InContext(model, begun)
        reworded = await translator.rewording("the stairs now")
        if reworded is not None:
            translator.reworded(reworded)
        return reworded, await translator.translate("the stairs now")

    assert (await run())[0] == rewording
    assert model.asked[0] == "we go up the stairs now"
    if rewording is not None:
        assert await run() == (None, "THE STAIRS NOW")
        assert begun.lead + begun.spoken.removeprefix(begun.before).strip() == rewording


@pytest.mark.parametrize(
    ("heard", "start", "text", "whole"),
    [
        ("We go up.", 2.4, "But not now.", "We go up, but not now."),
        ("It rains. We go up.", 2.4, "And then down.", "We go up, and then down."),
        ("We go up.", 2.4, "Then down.", None),
        ("We go up.", 2.7, "But not now.", None),  # more than a breath
        ("Shall we go?", 2.4, "But not now.", None),
    ],
)
async def test_a_conjunction_after_a_breath_continues_what_seemed_over(
    heard: str, start: float, text: str, whole: str | None
) -> None:
    context, model = Context("en"), Model()
    context.add(heard, heard.upper(), _slot(0, 2), "S1", new=True)
    chosen = context.translator(model, text, _slot(start, 4), "S1")
    spoken = await chosen.translate(text)
    assert (spoken, model.asked) == (text.upper(), [whole or text])
    context.add(text, spoken, _slot(start, 4), "S1", new=chosen is model)
    # What follows continues neither.
    assert context.translator(model, "Birds sing.", _slot(4.4, 5), "S1") is model


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


async def test_a_sentence_grows_until_it_ends() -> None:
    context, model = Context(), Model()
    heard = ["It rains. We go", "up", "the stairs.", "Then"]
    for place, text in enumerate(heard):
        slot = _slot(place, place + 1)
        chosen = context.translator(model, text, slot, "S1")
        spoken = await chosen.translate(text)
        assert spoken == text.upper()
        context.add(text, spoken, slot, "S1", new=chosen is model)
    assert model.asked == ["It rains. We go", "We go up", "We go up the stairs.", "Then"]
