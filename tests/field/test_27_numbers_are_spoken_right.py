"""People reported voices that say the point of a price and the comma of a thousand; numbers,
prices, units, dates and addresses must be said as people of the language say them, in one piece."""

import pytest

from stages.tts.text import spoken_portions
from stream.frames import Word
from stream.speech.cuts import choose_cut
from tests.helpers.dubbing import tone


def said(text: str, language: str) -> str:
    return " ".join(spoken_portions(text, language, 140))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # As translators write them, in either language's manner.
        ("Custa $1.500.75.",
         "Custa mil e quinhentos dólares americanos e setenta e cinco centavos."),
        ("R$2.468,87", "dois mil quatrocentos e sessenta e oito reais brasileiros e oitenta e sete "
         "centavos"),
        ("Custa US $ 20.", "Custa vinte dólares americanos."),
        ("São 1,500 pessoas.", "São mil e quinhentos pessoas."),
        ("Cerca de 3,5 milhões.", "Cerca de três vírgula cinco milhões."),
        ("pi é 3.14", "pi é três vírgula um quatro"),
        ("10.000 pessoas", "dez mil pessoas"),
        ("Subiu 20 % ou 4,5%.", "Subiu vinte por cento ou quatro vírgula cinco por cento."),
        ("a 50 km/h", "a cinquenta quilômetros por hora"),
        ("a -5 °C", "a menos cinco graus Celsius"),
        ("Ligue para 555-0123.", "Ligue para cinco cinco cinco, zero um dois três."),
        ("Escreva para anna@example.com.", "Escreva para anna arroba example ponto com."),
        ("Veja www.example.org/a.", "Veja w w w ponto example ponto org barra a."),
        ("Em 03/04/2021.", "Em três de abril de dois mil e vinte e um."),
        ("às 14:30, às 17:00", "às catorze trinta, às dezessete"),
        ("10-15 minutos", "dez a quinze minutos"),
        ("o Sr. Silva, p. ex.", "o senhor Silva, por exemplo"),
    ],
)  # fmt: skip
def test_portuguese(text: str, expected: str) -> None:
    assert said(text, "pt") == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "It costs $1,500.75.",
         "It costs one thousand five hundred US dollars and seventy-five cents."),
        ("en", "Dr. Lee of Baker St. drove 50 km/h.",
         "Doctor Lee of Baker Street drove fifty kilometers per hour."),
        ("es", "Sube un 3,5 %.", "Sube un tres punto cinco por ciento."),
        ("fr", "1 500,75 €", "mille cinq cents euros et soixante-quinze centimes"),
        ("de", "3,5 kg", "drei Komma fünf Kilogramm"),
        ("it", "20% di 1.000 €", "venti percento di mille euro"),
        ("ru", "2 км и 5 км", "два километра и пять километров"),
        ("hi", "50 km/h", "50 किलोमीटर प्रति घंटा"),  # eSpeak's Hindi reads digits well
    ],
)  # fmt: skip
def test_other_voices(language: str, text: str, expected: str) -> None:
    assert said(text, language) == expected


def test_a_portion_never_ends_inside_a_number() -> None:
    number = "dois mil quatrocentos e sessenta e oito vírgula oito sete"
    for limit in range(60, 100, 7):
        parts = spoken_portions("Eles disseram ontem que o valor era 2.468,87 " * 4, "pt", limit)
        assert sum(part.count(number) for part in parts) == 4


@pytest.mark.parametrize(
    "words",
    [
        [("1", False), (",500", True), (".75", True)],
        [("10", False), ("000", False)],
        [("4", False), ("%", True)],
        [("$", False), ("20", True)],
    ],
)
def test_an_utterance_is_not_cut_inside_a_number(words: list[tuple[str, bool]]) -> None:
    """Recognisers time the parts of a number as words of their own."""
    texts = [("it", False), ("costs", False), ("about", False), *words]
    timed = [
        Word(text, 0.5 * i, 0.5 * i + 0.5, 1.0, joined) for i, (text, joined) in enumerate(texts)
    ]
    cut = choose_cut(timed, tone(0.5 * len(timed), 16_000)) / 16_000
    assert cut < timed[3].start + 0.1
