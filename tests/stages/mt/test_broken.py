"""What cannot be right of a translation is told, and what can be is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.mt.broken import Fault, fault

SAID = "Terrific. It's on the way, and they will bring it to the door before noon."


@pytest.mark.parametrize(
    ("translation", "target", "wrong"),
    [
        ("Terrific (a) de Sãoa Está a caminho, e eles vão trazê-lo à porta.", "pt", Fault.BRACKETS),
        ("Está a caminho, eles vão vão vão trazê-lo à porta.", "pt", Fault.REPEATED),
        ("Vão trazê-lo à porta antes, vão trazê-lo à porta antes do meio-dia.", "pt",
         Fault.REPEATED),
        ("Está a caminho, e they will bring it até a porta.", "pt", Fault.UNTRANSLATED),
        ("Está a caminho e será levado à porta.", "ru", Fault.SCRIPT),
        ("もうすぐ届きます、昼前に玄関まで持ってきます。", "zh-Hans", Fault.SCRIPT),
        ("Sim.", "pt", Fault.LENGTH),
        (" ".join(f"palavra{n}" for n in range(40)), "pt", Fault.LENGTH),
        ("Ótimo. Está a caminho e será levado à porta antes do meio-dia.", "pt-BR", None),
        ("Ótimo. Está a caminho e será levado à porta antes do meio-dia.", "", None),
        ("Отлично. Уже едет, привезут к двери до полудня.", "ru", None),
        ("もうすぐ届きます、昼前に玄関まで持ってきます。", "ja", None),
        ("太好了。已经在路上了,中午前会送到门口。", "zh", None),
        ("Ótimo. Está a caminho.", "tlh", None),  # nothing is known of its letters
        (SAID, "en", None),  # nothing was translated
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(translation: str, target: str, wrong: Fault | None) -> None:
    assert fault(SAID, translation, target) is wrong


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("No, no, no! Very, very, very good (really).", "Não, não, não! Muito, muito bom (mesmo)."),
        ("Never again, never again!", "Nunca mais, nunca mais!"),
        ("The Rolling Stones and Guns N' Roses", "The Rolling Stones e Guns N' Roses"),
        ("Go.", "Vá."),
        ("Yes.", "Sim, é isso mesmo que eu queria dizer."),
    ],
)
def test_what_the_source_has_too_is_not_blamed(source: str, translation: str) -> None:
    assert fault(source, translation, "pt") is None


@given(st.text(max_size=60))
def test_a_text_is_no_broken_translation_of_itself(text: str) -> None:
    assert fault(text, text) is None
