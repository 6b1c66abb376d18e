import asyncio

from stages.base import Rendering
from stages.mt.glossary import Glossary
from tests.helpers.scripted import continuations


class Model:
    """Translates by a list, in the way that a test needs."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def translate(self, text: str) -> str:
        self.asked.append(text)
        return self.answers.get(text.replace(" ", "_").rstrip("."), text)

    async def aclose(self) -> None: ...


def translate(model: Model, text: str, **terms: str) -> str:
    return asyncio.run(Glossary(model, terms).translate(text))


def test_text_without_terms_is_left_to_the_model() -> None:
    model = Model(the_tide="a maré")
    assert translate(model, "the tide", ferry="balsa") == "a maré"
    assert model.asked == ["the tide"]


def test_a_term_that_the_model_copies_is_kept_with_its_capitals() -> None:
    model = Model(the_Balsa_leaves="a balsa parte")
    assert translate(model, "the FERRY leaves", ferry="Balsa") == "a Balsa parte"


def test_a_term_that_the_model_loses_is_put_in_afterwards() -> None:
    model = Model(the_balsa_leaves="isto parte", the_ferry_leaves="o barco parte", ferry="Barco.")
    assert translate(model, "the ferry leaves", ferry="balsa") == "o balsa parte"


def test_nothing_is_forced_where_the_term_is_not_found() -> None:
    model = Model(the_balsa_leaves="isto parte", the_ferry_leaves="ela parte", ferry="barco")
    assert translate(model, "the ferry leaves", ferry="balsa") == "ela parte"


async def test_only_whole_words_and_the_longest_term_count() -> None:
    model = Model()
    terms = {"disk": "disco", "hard disk": "disco rígido"}
    glossary = Glossary(model, terms)
    assert await glossary.translate("a hard disk and diskettes") == ("a disco rígido and diskettes")


class Continuing(Model):
    """Goes on word by word."""

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        return continuations(await self.translate(text), text, spoken)


async def test_a_continuation_keeps_to_the_glossary_and_to_the_source() -> None:
    text = "we took the ferry home"
    glossary = Glossary(Continuing(), {"ferry": "Balsa"})
    (found,) = await glossary.continuations(text, "we took", 1)
    assert found.text == "the Balsa home"
    assert [text[word.source :].split()[0] for word in found.words] == ["the", "ferry", "home"]
    lost = Continuing(we_took_the_Balsa_home="we took the barge home")
    assert await Glossary(lost, {"ferry": "Balsa"}).continuations(text, "we took", 1) == []
    assert await Glossary(Model(), {"ferry": "Balsa"}).continuations(text, "", 1) == []


def test_a_term_is_found_in_every_case_that_it_is_looked_for() -> None:
    """Turkish has an i without a dot and an I with one, which only regular expressions fold."""
    for said in ("Internet", "\u0130nternet", "\u0131nternet", "internet"):
        assert translate(Model(), f"the {said}", internet="rede") == "the rede"
