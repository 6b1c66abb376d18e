import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import Word, written
from stream.speech.agreement import GUARD_S, LocalAgreement


def said(text: str, start: float = 0.0) -> list[Word]:
    """Words of 0.3 s one after another."""
    return [
        Word(word, start + 0.3 * i, start + 0.3 * (i + 1), 1.0)
        for i, word in enumerate(text.split())
    ]


def test_two_hypotheses_must_agree() -> None:
    agreement = LocalAgreement(2)
    agreement.push(said("the boat crosses the"), 1.2)
    assert agreement.stable == 0
    agreement.push(said("The boat, crosses a river"), 1.5)
    assert agreement.stable == 3
    assert written(agreement.take(3)) == "The boat, crosses"
    assert (written(agreement.words), agreement.stable) == ("a river", 0)


def test_what_was_taken_is_not_compared_again() -> None:
    agreement = LocalAgreement(2)
    agreement.push(said("one two three"), 0.9)
    agreement.push(said("one two three four"), 1.2)
    agreement.take(2)
    agreement.push(said("three four five", 0.6), 1.5)
    assert (agreement.stable, written(agreement.words)) == (2, "three four five")


def test_a_single_hypothesis_is_trusted_but_for_its_end() -> None:
    agreement = LocalAgreement(1)
    words = said("one two three four")
    agreement.push(words, 1.1)
    assert agreement.stable == sum(word.end <= 1.1 - GUARD_S for word in words) == 2


def test_no_hypothesis_at_all_agrees_on_nothing() -> None:
    with pytest.raises(ValueError, match="at least one hypothesis must agree, not 0"):
        LocalAgreement(0)


def test_the_next_utterance_begins_afresh() -> None:
    agreement = LocalAgreement(2)
    agreement.push(said("one"), 0.3)
    agreement.push(said("one"), 0.3)
    agreement.reset()
    agreement.push(said("one"), 0.3)
    assert agreement.stable == 0


@given(st.data(), st.integers(2, 4))
def test_what_is_stable_is_true_where_errors_do_not_repeat(data: st.DataObject, n: int) -> None:
    truth = said(" ".join(f"w{i}" for i in range(30)))
    agreement = LocalAgreement(n)
    heard, taken = 0, []
    for turn in range(data.draw(st.integers(1, 12))):
        heard = min(heard + data.draw(st.integers(0, 6)), len(truth))
        right = data.draw(st.integers(min(len(taken), heard), heard))
        wrong = [
            Word(f"x{turn}-{i}", w.start, w.end, 0.1) for i, w in enumerate(truth[right:heard])
        ]
        agreement.push([*truth[len(taken) : right], *wrong], heard * 0.3)
        before = list(taken)
        taken += agreement.take(data.draw(st.integers(0, agreement.stable)))
        assert taken[: len(before)] == before
        assert [w.text for w in taken] == [w.text for w in truth[: len(taken)]]
