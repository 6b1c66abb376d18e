"""Which files a batch dubs, in which order, and what the dubs are called."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from stream.errors import UserError

MEDIA = frozenset(
    {
        *(
            "3g2",
            "3gp",
            "aac",
            "ac3",
            "aif",
            "aiff",
            "amr",
            "asf",
            "avi",
            "caf",
            "dv",
            "eac3",
            "f4v",
        ),
        *("flac", "flv", "m2ts", "m2v", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp2", "mp3"),
        *("mp4", "mpeg", "mpg", "mts", "mxf", "oga", "ogg", "ogm", "ogv", "opus", "ra", "rm"),
        *("rmvb", "ts", "vob", "wav", "webm", "wma", "wmv"),
    }
)
"""Suffixes of what is taken out of a folder; a file that is named is taken in any case."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file to dub.

    Attributes:
        path: absolute.
        place: below what was named; a file that was named has its name alone.
    """

    path: Path
    place: Path


def find(named: Sequence[Path], out: Path) -> list[Input]:
    """All media that was named, each once: files as they are, folders with all below them, sorted.

    Args:
        named: files and folders.
        out: where the dubs go, which are no input.

    Raises:
        UserError: if there is no such file, no media in a folder, or no room between the two.
    """
    out, found = out.resolve(), dict[Path, Input]()
    for name in named:
        if not name.exists():
            raise UserError(f"{name} does not exist")
        path = name.absolute()
        if not path.is_dir():
            found.setdefault(path.resolve(), Input(path, Path(path.name)))
            continue
        path = path.resolve()
        if path == out:
            raise UserError(f"{name} would be mixed with its dubs: name another folder for --out")
        inside = [Input(one, one.relative_to(path)) for one in _media(path, out)]
        if not inside:
            raise UserError(f"{name} holds no media: name a folder with films or sound, or files")
        for one in inside:
            found.setdefault(one.path.resolve(), one)
    return list(found.values())


def in_order(inputs: Sequence[Input], first: Sequence[str]) -> list[Input]:
    """What matches the first pattern, then the second, then the rest, each as it was.

    Args:
        inputs: as they were named.
        first: patterns of the shell for a name, or for a path below what was named.
    """

    def rank(one: Input) -> int:
        names = (one.path.name, str(one.place), str(one.path))
        ranks = (n for n, glob in enumerate(first) if any(fnmatch.fnmatch(x, glob) for x in names))
        return next(ranks, len(first))

    return sorted(inputs, key=rank)


def named(inputs: Sequence[Input], language: str, taken: Mapping[Path, Path]) -> list[Path]:
    """What the dub of each is called, below the folder of the dubs; no two have all but a suffix.

    ``talk.mp4`` becomes ``talk.pt.mp4``; of two in different folders each gets the name of its
    folder, of two in the same folder each keeps its suffix: ``talk.mkv.pt.mkv``.

    Args:
        inputs: in any order.
        language: of the dub.
        taken: dubs by their inputs that are there already, or will be: they keep their names.
    """
    fresh = [one for one in inputs if one.path not in taken]
    alike = Counter(map(_beside, fresh))
    stems = {one: one.path.name if alike[_beside(one)] > 1 else one.path.stem for one in fresh}
    others = {_key(output) for output in taken.values()}
    names = dict.fromkeys(fresh, Path())
    levels, doubled, wanting = dict.fromkeys(fresh, 0), fresh, list[Input]()
    while doubled:
        for one in doubled:
            name = f"{stems[one]}.{language}{one.path.suffix}"
            names[one] = _above(one, levels[one]) / name
        uses = Counter(map(_key, names.values()))
        wanting = [one for one in fresh if uses[_key(names[one])] > 1 or _key(names[one]) in others]
        doubled = [one for one in wanting if levels[one] < len(one.path.parents)]
        for one in doubled:
            levels[one] += 1
    lost = set(wanting)
    used = others | {_key(names[one]) for one in fresh if one not in lost}
    for one in wanting:
        names[one] = _numbered(names[one], language, used)
        used.add(_key(names[one]))
    return [taken.get(one.path) or names[one] for one in inputs]


def _media(folder: Path, out: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*"), key=_natural):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or out in path.parents or path.suffix[1:].lower() not in MEDIA:
            continue
        if path.is_file():
            yield path


def _natural(path: Path) -> list[tuple[str, int]]:
    """Sorts the second before the tenth."""
    return [(text.casefold(), int(n or 0)) for text, n in re.findall(r"(\D*)(\d*)", str(path))]


def _beside(one: Input) -> tuple[Path, str]:
    """The same for files of one folder that differ in their suffixes alone."""
    return one.path.parent, one.path.stem.casefold()


def _above(one: Input, levels: int) -> Path:
    """The folder of a dub, with so many folders above what was named."""
    root = one.path.parents[len(one.place.parents) - 1]
    names = root.parts[1:][max(len(root.parts) - 1 - levels, 0) :] if levels else ()
    return Path(*names, one.place.parent)


def _key(name: Path) -> str:
    """Journals and subtitles have no suffix, and some file systems no capital letters."""
    return str(name.with_suffix("")).casefold()


def _numbered(name: Path, language: str, used: set[str]) -> Path:
    stem = name.stem.removesuffix(f".{language}")
    names = (name.with_name(f"{stem}-{n}.{language}{name.suffix}") for n in count(1))
    return next(other for other in names if _key(other) not in used)
