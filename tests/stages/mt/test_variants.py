import pytest

from stages.mt.variants import targets


def test_other_languages_have_no_variants() -> None:
    assert targets("nós vamos", "en") == []


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
