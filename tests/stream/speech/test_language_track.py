"""The course of languages, from made-up probabilities."""

from hypothesis import given
from hypothesis import strategies as st

from stream.frames import SPEECH_RATE
from stream.speech.language_track import KEPT, LanguageTrack
from stream.speech.language_track import Heard as Window

Said = list[tuple[str, float, float]]
"""Language, seconds, and how sure the detector is of it."""


def windows(said: Said, among: str = "abc") -> list[Window]:
    """One after another; a stretch in several, none longer than 2 s."""
    at, found = 0, []
    for language, length, sure in said:
        rest = (1 - sure) / (len(among) - 1)
        likely = {one: sure if one == language else rest for one in among}
        while length > 0:
            part = min(length, 2.0)
            end = at + round(part * SPEECH_RATE)
            found.append(Window(at, end, likely))
            at, length = end, length - part
    return found


def course(said: Said, among: str = "abc", told: str = "") -> list[str]:
    track = LanguageTrack(told)
    track.hear(windows(said, among))
    return track.course()


stretch = st.tuples(st.sampled_from("abc"), st.floats(0.3, 6.0), st.floats(0.34, 0.99))


@given(st.lists(stretch, min_size=1, max_size=12), st.sampled_from(["", "ab", "abc"]))
def test_there_is_one_language_for_each_window_and_it_is_one_that_may_occur(
    said: Said, told: str
) -> None:
    found = course(said, told=told)
    assert len(found) == min(len(windows(said)), KEPT)
    assert set(found) <= set(told or "abc")


@given(st.lists(st.tuples(st.just("a"), st.floats(0.3, 6), st.floats(0.34, 0.99)), min_size=1))
def test_one_language_is_one_language(said: Said) -> None:
    assert set(course(said[:12], told="abc")) == {"a"}


@given(
    st.floats(2.0, 20.0), st.floats(0.3, 1.19), st.floats(0.5, 1.0), st.floats(2.0, 20.0),
    st.sampled_from(["", "ab"]),
)  # fmt: skip
def test_a_short_ok_never_changes_the_language(
    before: float, length: float, sure: float, after: float, told: str
) -> None:
    said = [("a", before, 0.9), ("b", length, sure), ("a", after, 0.9)]
    assert set(course(said, told=told)) == {"a"}
    assert set(course(said[:2], told=told)) == {"a"}


@given(st.floats(2.0, 20.0), st.floats(3.0, 20.0), st.floats(0.85, 0.99))
def test_who_goes_on_in_another_language_is_heard(before: float, after: float, sure: float) -> None:
    said = [("a", before, sure), ("b", after, sure)]
    found = course(said, told="ab")
    assert found[0] == "a" and found[-1] == "b" and found == sorted(found)


@given(st.floats(3.0, 20.0))
def test_a_language_that_was_not_named_is_told_too(after: float) -> None:
    assert course([("a", 6, 0.9), ("c", after, 0.9)])[-1] == "c"
    assert course([("a", 6, 0.9), ("c", after, 0.9)], told="ab")[-1] in "ab"


def test_doubt_does_not_pay_for_a_change() -> None:
    assert set(course([("a", 6, 0.9), ("b", 4, 0.4), ("a", 2, 0.9)])) == {"a"}


def test_what_is_heard_anew_takes_the_place_of_what_was_known() -> None:
    track = LanguageTrack("ab")
    track.hear(windows([("a", 4, 0.9), ("b", 4, 0.9)], "ab"))
    track.hear(windows([("a", 8, 0.9)], "ab")[2:])
    assert track.course() == ["a"] * 4
    assert LanguageTrack().course() == []
