"""What ``livedub batch`` shows: a bar for all and for each meanwhile, and a table at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from server.batch.batch import Batch, Item
from server.commands.file_progress import clock

EVERY_S = 0.5
"""Between two looks at the files on their way."""

LONGEST_TABLE = 100
"""Files; of more, only those that failed are listed."""


@contextlib.asynccontextmanager
async def shown(batch: Batch, console: Console) -> AsyncGenerator[Callable[[Item], None], None]:
    """Show a batch: bars on a terminal, a line for each file elsewhere; yields what is told."""
    if not console.is_terminal:
        yield _Lines(batch, console).told
        return
    bars = _Bars(batch, console)
    with bars.progress:
        drawing = asyncio.create_task(bars.draw())
        try:
            yield bars.told
        finally:
            drawing.cancel()
            await asyncio.wait({drawing})


def print_results(batch: Batch, folder: Path, took: float, console: Console) -> None:
    """A table of the files, and a sentence."""
    items, failed = batch.items, [i for i in batch.items if i.result.state == "failed"]
    listed = items if len(items) <= LONGEST_TABLE else failed
    if listed:
        console.print(_table(listed))
    finished = [item for item in items if item.result.state == "finished" and not item.skipped]
    skipped, left = sum(i.skipped for i in items), sum(_is_left(i) for i in items)
    media = sum(_figure(item, "media_s") for item in finished)
    counts = [f"{len(finished)} of {len(items)} files dubbed"]
    counts += [f"{skipped} were finished before"] * bool(skipped)
    counts += [f"{len(failed)} failed"] * bool(failed) + [f"{left} left"] * bool(left)
    speed = f", {media / took:.1f} x real time" if finished and took else ""
    console.print(
        f"{folder}: {', '.join(counts)}; {clock(media)} made in {clock(took)}{speed}.",
        highlight=False,
        soft_wrap=True,
    )
    if failed or left:
        console.print("The same command with --resume goes on.", highlight=False)


def _table(items: list[Item]) -> Table:
    table = Table()
    for heading in ("dub", "", "length", "took", "on time", "remark"):
        right = heading in ("length", "took", "on time")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for item in items:
        result, summary = item.result, item.result.summary or {}
        spoken = sum(summary.get(key, 0) for key in ("on_time", "late", "dropped", "failed"))
        table.add_row(
            escape(result.output),
            "finished before" if item.skipped else result.state,
            clock(summary["media_s"]) if summary else "",
            clock(result.wall_s) if result.wall_s else "",
            f"{summary['on_time']} of {spoken}" if summary else "",
            escape(result.error or ""),
        )
    return table


def _is_left(item: Item) -> bool:
    return item.result.state in ("waiting", "dubbing")


def _figure(item: Item, key: str) -> float:
    return float((item.result.summary or {}).get(key, 0.0))


class _Lines:
    def __init__(self, batch: Batch, console: Console) -> None:
        self._console = console
        self._of = sum(not item.skipped for item in batch.items)
        self._ended = 0

    def told(self, item: Item) -> None:
        result = item.result
        if _is_left(item):
            return
        self._ended += 1
        what = f"failed: {result.error}" if result.error else f"dubbed in {clock(result.wall_s)}"
        self._console.print(
            f"{self._ended} of {self._of}: {result.output} {what}", highlight=False, soft_wrap=True
        )


class _Bars:
    def __init__(self, batch: Batch, console: Console) -> None:
        self._items = [item for item in batch.items if not item.skipped]
        self._bars: dict[str, TaskID] = {}
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(None),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._all = self.progress.add_task("all", total=len(self._items), state="")

    def told(self, item: Item) -> None:
        key = item.result.input
        if item.result.state == "dubbing":
            name = escape(item.path.name)
            self._bars[key] = self.progress.add_task(name, total=None, state="loading")
        elif (bar := self._bars.pop(key, None)) is not None:
            self.progress.remove_task(bar)
            if item.result.error:
                said = f"{item.path.name} failed: {item.result.error}"
                self.progress.console.print(said, highlight=False, markup=False, soft_wrap=True)

    async def draw(self) -> None:
        while True:
            done = 0.0
            for item in self._items:
                if not _is_left(item):
                    done += 1
                elif (bar := self._bars.get(item.result.input)) is not None:
                    at, of = item.progress.done, item.progress.of
                    done += min(at / of, 1) if of else 0
                    self.progress.update(bar, completed=at, total=of, state=clock(at))
            self.progress.update(self._all, completed=done, state=f"{int(done)} files")
            await asyncio.sleep(EVERY_S)
