"""A film with several languages had its default track dubbed; it must be the one spoken."""

from pathlib import Path

import numpy as np
import pytest

from server.sessions.sources import Pull
from stream.live.source import MediaConnection
from stream.media.options import ANY, InputOptions
from stream.media.source import MediaSource, SourceError
from tests.helpers.dubbed_file import pitch, read
from tests.helpers.films import PITCHES, Track, film

JPN, ENG = Track("jpn", disposition="default"), Track("eng")


def chosen(path: Path, choice: InputOptions = ANY, language: str = "en") -> int:
    """Number of the track that is heard."""
    _, sound, _ = read(path, choice, language=language)
    return PITCHES.index(min(PITCHES, key=lambda hertz: abs(hertz - pitch(sound[:, 0]))))


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_the_track_in_the_language_spoken(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path / f"two.{suffix}", JPN, ENG)
    assert (chosen(path), chosen(path, language="ja")) == (1, 0)


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        ([Track("eng", "Director's commentary", ""), Track("eng", "", "")], 1),
        ([Track("eng", "", "visual_impaired"), JPN, Track("eng", "", "")], 2),
        ([Track("eng", "", "comment"), Track("", "", "")], 1),
        ([Track("jpn", "", "comment+default"), Track("fre", "", "")], 1),
        ([Track("", "", ""), Track("", "Audio description", "default")], 0),
    ],
)
def test_commentaries_and_descriptions_come_last(
    tmp_path: Path, tracks: list[Track], expected: int
) -> None:
    assert chosen(film(tmp_path / "film.mkv", *tracks)) == expected


@pytest.mark.parametrize(("tag", "language"), [("ger", "de"), ("deu", "de"), ("nob", "no")])
def test_every_code_of_a_language_counts(tmp_path: Path, tag: str, language: str) -> None:
    path = film(tmp_path / "film.mkv", JPN, Track(tag))
    assert chosen(path, language=language) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(0, 0), ("1", 1), ("ja", 0), ("fra", 2), ("Stage", 3), ("original", 2)],
)
def test_a_track_can_be_named(tmp_path: Path, wanted: int | str, expected: int) -> None:
    path = film(
        tmp_path / "film.mkv",
        JPN,
        ENG,
        Track("fre", "", "original"),
        Track("eng", "From the stage", ""),
    )
    assert chosen(path, InputOptions(track=wanted)) == expected


def test_what_was_chosen_is_said(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", JPN, Track("fre", "VF", ""))
    source, _, _ = read(path)
    assert source.notes == [
        "audio track 0 of 2, jpn, is dubbed",
        "the audio track is tagged 'jpn', but languages.source is en",
    ]
    with pytest.raises(SourceError, match=r"no audio track de: .*0 \(jpn\), 1 \(fre 'VF'\)"):
        MediaSource(path, choice=InputOptions(track="de"))


async def test_a_session_chooses_as_well(tmp_path: Path) -> None:
    path = film(tmp_path / "two.ts", JPN, ENG)
    for choice, expected in ((ANY, 1), (InputOptions(track="ja"), 0)):
        connection = await Pull(str(path), choice, "en").connect()
        assert isinstance(connection, MediaConnection)
        sound = [item.samples for batch in connection._read() for item in batch]  # type: ignore[union-attr]
        assert abs(pitch(np.concatenate(sound)[:, 0]) - PITCHES[expected]) < 5
