"""What the documentation names exists: links, commands, options, settings, files."""

from __future__ import annotations

import argparse
import itertools
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.arguments import build_parser

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
FILES = frozenset(
    subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
)
FOLDERS = frozenset(str(parent) for name in FILES for parent in Path(name).parents)
SETTINGS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
FOREIGN_OPTIONS = frozenset(
    {"--no-deps", "--network", "--read-only", "--cap-drop", "--ff-only", "--num-cpus"}
)
"""Options of pip, Docker, Git and Ray that are spoken of by themselves."""
FOREIGN_FILES = frozenset({"hls.js", "stream_laal.py", "set.yaml"})
"""Files of other projects and of readers."""

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}\S.*\n)+", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OPTION = re.compile(r"--[a-z][a-z-]*")
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|yaml|js|service)")
TOP = frozenset(name.split("/")[0] for name in FILES if "/" in name)


def _pages(*without: str) -> Any:
    pages = [page for page in PAGES if page.name not in without]
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def _inline(page: Path) -> list[str]:
    # Code spans may be wrapped.
    return INLINE.findall(re.sub(r"(?<=\S)\n(?=\S)", " ", _prose(page)))


def _lines(page: Path) -> Iterator[str]:
    """Command lines, continued ones joined, and code in sentences."""
    text = page.read_text("utf-8")
    for block in (*FENCE.findall(text), *INDENTED.findall(FENCE.sub("", text))):
        yield from re.sub(r"\\\n\s*", " ", block).splitlines()
    yield from _inline(page)


def _commands(page: Path) -> Iterator[list[str]]:
    for line in _lines(page):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if words:
            yield words


def _slug(heading: str) -> str:
    kept = re.sub(r"[^\w\s-]", "", heading.replace("`", "").lower())
    return kept.strip().replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_slug(text) for text in re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)}


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _all_options(parser: argparse.ArgumentParser) -> set[str]:
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*(_all_options(sub) for sub in _subcommands(parser).values()))


def _is_setting(key: str) -> bool:
    section, _, name = key.partition(".")
    return section in SETTINGS and name in SETTINGS[section]


@_pages()
def test_links_and_pictures_exist(page: Path) -> None:
    for target in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in _anchors(file), f"{target} has no such heading"


def test_the_index_has_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    assert {page for page in PAGES if page != index and page != ROOT / "README.md"} <= linked


def test_every_case_from_the_field_is_listed() -> None:
    page = ROOT / "docs" / "field.md"
    listed = {(page.parent / target).resolve() for target in LINK.findall(page.read_text())}
    assert listed == set((ROOT / "tests" / "field").glob("test_*.py"))


@_pages()
def test_commands_and_options_exist(page: Path) -> None:
    for words in _commands(page):
        if words[0].rpartition("/")[2] != "livedub":
            continue
        parser, rest = build_parser(), words[1:]
        while rest and (choices := _subcommands(parser)):
            if rest[0] in ("...", "COMMAND", "-v", "--verbose"):
                break
            assert rest[0] in choices, f"livedub has no command {rest[0]}: {words}"
            parser, rest = choices[rest[0]], rest[1:]
        known = _all_options(parser)
        for word in itertools.takewhile(lambda word: word not in ("&&", "|", ";"), rest):
            if OPTION.match(word):
                assert word.partition("=")[0] in known, f"{words} has no option {word}"


@_pages()
def test_options_in_sentences_exist(page: Path) -> None:
    benchmarks = "\n".join(path.read_text("utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    known = (
        _all_options(build_parser())
        | FOREIGN_OPTIONS
        | set(re.findall(r'"(--[\w-]+)"', benchmarks))
    )
    for text in _inline(page):
        if text.startswith("--"):
            assert not set(OPTION.findall(text)) - known, f"there is no option {text}"


@_pages()
def test_scripts_exist(page: Path) -> None:
    for words in _commands(page):
        if words[0].rpartition("/")[2] not in ("python", "python3") or len(words) < 2:
            continue
        if words[1] == "-m":
            module = words[2].replace(".", "/")
            name = f"{module}.py" if f"{module}.py" in FILES else f"{module}/__main__.py"
            if words[2].partition(".")[0] not in TOP:
                continue
        else:
            name = words[1]
        assert name in FILES, f"{words} runs what does not exist"
        if name.startswith("benchmarks/"):
            package = {file for file in FILES if file.startswith("benchmarks/")}
            source = "".join((ROOT / file).read_text("utf-8", "ignore") for file in package)
            for option in filter(OPTION.fullmatch, words[2:]):
                assert f'"{option}"' in source, f"{words} has no option {option}"


@_pages()
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for words in _commands(page):
        if words[0] == "make" and len(words) > 1:
            assert re.search(rf"^{re.escape(words[1])}:", makefile, re.MULTILINE), words


@_pages()
def test_files_exist(page: Path) -> None:
    names = {Path(name).name for name in FILES}
    for text in _inline(page):
        if not PATH.fullmatch(text) or text.startswith(("/", "demo/")):
            continue
        if "/" not in text:
            assert text in names | FOREIGN_FILES, f"there is no file {text}"
        elif text.split("/")[0] in TOP:
            path = text.rstrip("/")
            assert path in FILES or path in FOLDERS, f"there is no {text}"


@_pages()
def test_settings_exist(page: Path) -> None:
    for text in _inline(page):
        key = re.match(r"([a-z]+\.[a-z_]+)(?=$|[ :=])", text)
        if key and key[1].partition(".")[0] in SETTINGS:
            assert _is_setting(key[1]), f"there is no setting {key[1]}"
    for words in _commands(page):
        for option, value in itertools.pairwise(words):
            if option == "--set" and "=" in value and not value.isupper():
                key_text = value.partition("=")[0].rpartition(":")[2]
                assert key_text == "KEY" or _is_setting(key_text), f"no setting {value}"


@_pages()
def test_settings_in_yaml_exist(page: Path) -> None:
    for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
        document = yaml.safe_load(block)
        for section, keys in document.items():
            if section in SETTINGS and isinstance(keys, dict):
                assert not set(keys) - set(SETTINGS[section]), f"{section} has no such keys"


@_pages()
def test_extras_and_variables_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for extras in re.findall(r"(?:livedub|'\.)\[([a-z,]+)\]", text):
        assert not set(extras.split(",")) - set(EXTRAS)
    source = "".join(
        (ROOT / file).read_text("utf-8")
        for file in FILES
        if file.endswith(".py") and file != "tests/test_docs.py"
    )
    for name in set(re.findall(r"LIVEDUB_[A-Z]+(?:_[A-Z]+)*", text)):
        section, _, key = name.removeprefix("LIVEDUB_").lower().partition("_")
        if name != "LIVEDUB_SECTION_KEY" and not _is_setting(f"{section}.{key}"):
            assert f'"{name}"' in source, f"nothing reads {name}"
