import pytest

from stages.mt.variants import sources, targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am here and it is late.", ["I'm here and it's late."]),
        ("Don’t go, we'll wait.", ["Do not go, we will wait."]),
        ("We have a dog.", []),
        ("We have been here.", ["We've been here."]),
        ("I cannot see.", ["I can't see."]),
        ("", []),
    ],
)
def test_english_is_written_with_and_without_contractions(text: str, expected: list[str]) -> None:
    assert sources(text, "en") == expected


def test_other_languages_have_no_variants() -> None:
    assert sources("I am", "pt") == [] and targets("nós vamos", "en") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nós vamos.", ["Vamos."]),
        ("Eu falo com eles.", ["Falo com eles."]),
        ("Eu tinha um.", []),  # he could have had one too
        ("Para nós mesmos.", []),
        ("Nós mesmos fizemos.", []),
        ("Sim. Nós vamos, e eu falo.", ["Sim. Vamos, e falo."]),
        ("Eles vão novamente.", ["Eles vão de novo."]),
        ("Temos apenas uma.", ["Temos só uma."]),
        ("Em uma ilha.", ["Numa ilha."]),
        (
            "Eles vêm todas as noites em breve.",
            [
                "Eles vêm toda noite em breve.",
                "Eles vêm todas as noites logo.",
                "Eles vêm toda noite logo.",
            ],
        ),
        ("Ela viu, e ela riu.", ["Ela viu, e riu."]),
        ("Ela viu, e ele riu.", []),
        ("Ele riu. E ele viu.", []),
        ("", []),
    ],
)
def test_portuguese_is_shortened_where_nothing_is_lost(text: str, expected: list[str]) -> None:
    assert targets(text, "pt") == expected
