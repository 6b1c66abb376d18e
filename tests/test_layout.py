"""The architecture holds: imports run down only, in the order of ``docs/inside/architecture.md``.

The order stands in a fenced block of that page, marked ``layout``, and nowhere else. Each line is a
package and its rooms from the bottom up: ``stream: timeline < (frames, intervals) < flow``. A room
is a folder with all below it, or a file of the package's root; a longer name (``tts/xtts``) is a
room of its own. Rooms in parentheses share a level and know nothing of each other.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "inside" / "architecture.md"
PACKAGES = "packages"
"""The line that orders the packages themselves."""

LONGEST_FILE = 350
"""Lines."""

MOST_ATTRIBUTES = 15
"""Of a class in ``stream``."""


@dataclass(frozen=True)
class Import:
    """One file imports another; both as paths below the root, without suffix."""

    importer: str
    line: int
    imported: str

    def __str__(self) -> str:
        return f"{self.importer}.py:{self.line} imports {self.imported}"


class Layout:
    """The levels of all rooms, the lowest 0, as the page has them."""

    def __init__(self, page: str) -> None:
        blocks = re.findall(r"^```layout\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        assert len(blocks) == 1, "the page must have one fenced block marked layout"
        joined = re.sub(r"\n\s+", " ", blocks[0])
        self.levels: dict[str, int] = {}
        for line in filter(None, joined.splitlines()):
            package, _, order = line.partition(":")
            for level, rooms in enumerate(order.split("<")):
                for room in re.split(r"[(),\s]+", rooms):
                    if room:
                        self.levels[f"{package}/{room}"] = level

    @property
    def packages(self) -> list[str]:
        return [name.split("/")[1] for name in self.levels if name.startswith(f"{PACKAGES}/")]

    def room(self, file: str) -> str | None:
        """The most specific room that holds a file."""
        parts = file.split("/")
        names = ["/".join(parts[:length]) for length in range(len(parts), 1, -1)]
        return next((name for name in names if name in self.levels), None)

    def complaint(self, one: Import) -> str | None:
        """What is wrong with an import, if anything."""
        above, below = one.importer.split("/")[0], one.imported.split("/")[0]
        if above != below:
            higher = self.levels[f"{PACKAGES}/{above}"] > self.levels[f"{PACKAGES}/{below}"]
            return None if higher else f"{one}, but {above} must not know {below}"
        here, there = self.room(one.importer), self.room(one.imported)
        if here is None or there is None:
            lost = one.importer if here is None else one.imported
            return f"{one}, but {lost} is in no room of the layout"
        if here == there or self.levels[here] > self.levels[there]:
            return None
        return f"{one}, but {here} is not above {there}"


def _files(root: Path, folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((root / folder).rglob("*.py")):
        name = path.relative_to(root).with_suffix("").as_posix().removesuffix("/__init__")
        yield name, _parsed(path.read_text(encoding="utf-8"))


def _parsed(source: str) -> ast.Module:
    # CPython 3.11 counts its depth wrongly where a finalizer parses too, as tracebacks do.
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        gc.enable()


def _imports(root: Path, packages: list[str]) -> Iterator[Import]:
    """Every import among the packages' files, those within functions too."""
    files = {name for package in packages for name, _ in _files(root, package)}
    for package in packages:
        for importer, tree in _files(root, package):
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    named = [(alias.name, "") for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    named = [(node.module, alias.name) for alias in node.names]
                else:
                    continue
                for module, name in named:
                    whole = module.replace(".", "/")
                    imported = next((f for f in (f"{whole}/{name}", whole) if f in files), None)
                    if imported is not None and imported != importer:
                        yield Import(importer, node.lineno, imported)


def _circle(graph: Mapping[str, list[Import]]) -> list[Import]:
    """Imports that lead from a file back to it; none where there is no such way."""
    done: set[str] = set()

    def search(file: str, way: list[Import]) -> list[Import]:
        for one in graph.get(file, ()):
            if any(one.imported == step.importer for step in [*way, one]):
                start = next(i for i, s in enumerate([*way, one]) if s.importer == one.imported)
                return [*way, one][start:]
            if one.imported not in done and (found := search(one.imported, [*way, one])):
                return found
        done.add(file)
        return []

    return next((found for file in graph if file not in done and (found := search(file, []))), [])


def _graph(imports: list[Import]) -> dict[str, list[Import]]:
    graph: dict[str, list[Import]] = {}
    for one in imports:
        graph.setdefault(one.importer, []).append(one)
    return graph


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def imports(layout: Layout) -> list[Import]:
    return list(_imports(ROOT, layout.packages))


def test_imports_run_down(layout: Layout, imports: list[Import]) -> None:
    wrong = [complaint for one in imports if (complaint := layout.complaint(one))]
    assert not wrong, "\n".join(["", *wrong])


def test_every_file_has_a_room_and_every_room_has_files(layout: Layout) -> None:
    files = [name for package in layout.packages for name, _ in _files(ROOT, package)]
    lost = [name for name in files if "/" in name and layout.room(name) is None]
    assert not lost, f"in no room of {PAGE.name}: {', '.join(lost)}"
    rooms = {name for name in layout.levels if not name.startswith(f"{PACKAGES}/")}
    empty = rooms - {layout.room(name) for name in files}
    assert not empty, f"{PAGE.name} names what is not there: {', '.join(sorted(empty))}"


def test_there_is_no_circle_of_files(imports: list[Import]) -> None:
    circle = _circle(_graph(imports))
    assert not circle, "\n".join(["", *map(str, circle)])


def test_no_file_is_too_long() -> None:
    folders = ("stream", "stages", "server", "benchmarks", "tests", "examples")
    lengths = {
        path.relative_to(ROOT): path.read_text(encoding="utf-8").count("\n")
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    long = [
        f"{path}:{LONGEST_FILE} of {n} lines" for path, n in lengths.items() if n > LONGEST_FILE
    ]
    assert not long, "\n".join(["", *long])


def test_no_class_of_the_dub_has_too_many_attributes() -> None:
    wide = []
    for name, tree in _files(ROOT, "stream"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and len(found := _attributes(node)) > MOST_ATTRIBUTES:
                wide.append(f"{name}.py:{node.lineno} {node.name} has {len(found)} attributes")
    assert not wide, "\n".join(["", *wide])


def _attributes(node: ast.ClassDef) -> set[str]:
    """What its instances hold: fields of a dataclass, and what ``__init__`` sets on ``self``."""
    found: set[str] = set()
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        fields = (part for part in node.body if isinstance(part, ast.AnnAssign))
        found |= {ast.unparse(field.target) for field in fields}
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            found |= {
                inner.attr
                for inner in ast.walk(part)
                if isinstance(inner, ast.Attribute)
                and isinstance(inner.ctx, ast.Store)
                and ast.unparse(inner.value) == "self"
            }
    return found


def test_what_breaks_the_rules_is_named_with_file_and_line(tmp_path: Path) -> None:
    page = "```layout\npackages: low < high\nlow: a < (b, c)\n  < c/deep\nhigh: d\n```\n"
    for file, text in {
        "low/a.py": "import low.b\n",  # up
        "low/b/__init__.py": "",
        "low/b/one.py": "from low import a\n\ndef f():\n    from low.c.two import x\n",  # across
        "low/c/two.py": "from low.b import one\nfrom low.c.deep.three import x\n",  # across, up
        "low/c/deep/three.py": "from low.c import two\nfrom high import d\n",  # out
        "low/e.py": "from low import a\n",  # nowhere
        "high/d.py": "from low.c import two\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    layout = Layout(page)
    imports = list(_imports(tmp_path, layout.packages))
    assert [complaint for one in imports if (complaint := layout.complaint(one))] == [
        "low/a.py:1 imports low/b, but low/a is not above low/b",
        "low/b/one.py:4 imports low/c/two, but low/b is not above low/c",
        "low/c/deep/three.py:2 imports high/d, but low must not know high",
        "low/c/two.py:1 imports low/b/one, but low/c is not above low/b",
        "low/c/two.py:2 imports low/c/deep/three, but low/c is not above low/c/deep",
        "low/e.py:1 imports low/a, but low/e is in no room of the layout",
    ]
    circle = _circle(_graph(imports))
    assert {one.importer for one in circle} <= {
        f"low/{n}" for n in ("b/one", "c/two", "c/deep/three")
    }
    assert circle and circle[0].importer == circle[-1].imported
