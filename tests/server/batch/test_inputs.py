"""Which files a batch takes, in which order, and that no dub overwrites another."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.batch.inputs import Input, find, in_order, named
from stream.errors import UserError
from tests.helpers.examples import examples


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def names(inputs: list[Input], taken: dict[Path, Path] | None = None) -> list[str]:
    return [str(name) for name in named(inputs, "pt", taken or {})]


def test_a_folder_gives_its_media_with_all_below_it(tmp_path: Path) -> None:
    films = made(
        tmp_path / "films", "2.mp4", "10.mkv", "a/b.MOV", "notes.txt", ".x.part.mp4", ".t/a.mp4",
        "dubs/2.pt.mp4",
    )  # fmt: skip
    alone = made(tmp_path, "other.xyz") / "other.xyz"
    (films / "a" / "link.ts").symlink_to(alone)
    found = find([films, alone, films / "2.mp4"], films / "dubs")
    assert [str(one.place) for one in found] == ["2.mp4", "10.mkv", "a/b.MOV", "a/link.ts"]
    assert names(found) == ["2.pt.mp4", "10.pt.mkv", "a/b.pt.MOV", "a/link.pt.ts"]


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "films", "notes.txt")
    with pytest.raises(UserError, match="holds no media"):
        find([tmp_path / "films"], tmp_path / "dubs")
    with pytest.raises(UserError, match="does not exist"):
        find([tmp_path / "none"], tmp_path / "dubs")
    with pytest.raises(UserError, match="mixed with its dubs"):
        find([tmp_path / "films"], tmp_path / "films")


def test_of_equal_names_each_gets_its_folder_and_in_one_folder_its_suffix(tmp_path: Path) -> None:
    made(tmp_path, "x/a/talk.mp4", "x/b/talk.mp4", "y/b/talk.mp4", "y/b/one.mp4", "y/b/one.mkv")
    found = find(sorted(tmp_path.rglob("*.m*")), tmp_path / "dubs")
    assert names(found) == [
        "a/talk.pt.mp4",
        "x/b/talk.pt.mp4",
        "one.mkv.pt.mkv",
        "one.mp4.pt.mp4",
        "y/b/talk.pt.mp4",
    ]


def test_what_has_a_name_keeps_it(tmp_path: Path) -> None:
    made(tmp_path, "a/talk.mp4", "b/talk.mp4")
    both = find([tmp_path / "a" / "talk.mp4", tmp_path / "b" / "talk.mp4"], tmp_path / "dubs")
    assert names(both, {both[0].path: Path("talk.pt.mp4")}) == ["talk.pt.mp4", "b/talk.pt.mp4"]


def test_patterns_come_first_in_their_order(tmp_path: Path) -> None:
    made(tmp_path / "films", "a.mp4", "b.mp4", "c/d.mp4", "trailer.mp4")
    found = find([tmp_path / "films"], tmp_path / "dubs")
    ordered = in_order(found, ["*trailer*", "c/*"])
    assert [one.path.name for one in ordered] == ["trailer.mp4", "d.mp4", "a.mp4", "b.mp4"]


FOLDERS = st.sampled_from(["/f", "/f/a", "/f/b", "/g", "/g/a", "/g/a/a"])
NAMES = st.sampled_from(["t.mp4", "T.mp4", "t.mkv", "t-1.mp4", "t.mkv.mkv", "a.mp4"])


@examples(2)
@given(
    paths=st.lists(st.tuples(FOLDERS, NAMES, st.integers(0, 2)), unique_by=lambda p: p[:2]),
    before=st.integers(0, 3),
)
def test_no_two_dubs_share_a_name(paths: list[tuple[str, str, int]], before: int) -> None:
    inputs = []
    for folder, name, depth in paths:
        path = Path(folder, name)
        depth = min(depth, len(path.parts) - 2)
        inputs.append(Input(path, Path(*path.parts[-1 - depth :])))
    earlier = inputs[:before]
    taken = {one.path: name for one, name in zip(earlier, named(earlier, "pt", {}), strict=True)}
    given = named(inputs, "pt", taken)
    # Journals and subtitles go by the name without its suffix, in whatever case.
    assert len({str(name.with_suffix("")).casefold() for name in given}) == len(inputs)
    assert given[:before] == list(taken.values())
    assert all(name.suffix == one.path.suffix for name, one in zip(given, inputs, strict=True))
    assert not any(name.is_absolute() or ".." in name.parts for name in given)
