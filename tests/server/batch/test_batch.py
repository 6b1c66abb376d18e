"""A batch of files by a crew that does what the test says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from server.batch.batch import Batch, Wanted
from server.batch.crew import TaskFailed
from server.batch.results import NAME, Results
from server.batch.tasks import Dubbed, DubFile, Progress, Task, Tell
from server.config import Config, load
from stream.errors import UserError

CONFIG = load(environment={})


class Crew:
    """Writes the dub after a second; or fails, by the name of the file."""

    spare = 0

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.asked: list[DubFile] = []

    async def do(self, task: Callable[[], Awaitable[Task]], rank: int, tell: Tell) -> Dubbed:
        asked = await task()
        assert isinstance(asked, DubFile)
        self.asked.append(asked)
        tell(Progress(1.0, 2.0))
        await asyncio.sleep(10)
        if asked.job.input.name in self.failing:
            raise TaskFailed("it is no film")
        asked.job.output.touch()
        return Dubbed({"media_s": 2.0, "on_time": 1}, ["a note"])


def films(tmp_path: Path, *names: str) -> list[tuple[Path, Path]]:
    found = []
    for name in names:
        path = tmp_path / f"{name}.mp4"
        path.write_text(name)
        found.append((path, Path(f"{name}.pt.mp4")))
    return found


def batch(
    tmp_path: Path,
    inputs: list[tuple[Path, Path]],
    crew: Crew,
    *,
    resume: bool = False,
    config: Config = CONFIG,
) -> Batch:
    folder = tmp_path / "dubs"
    folder.mkdir(exist_ok=True)
    return Batch(inputs, Wanted(config, resume=resume), Results(folder), crew)


def states(tmp_path: Path) -> dict[str, str]:
    read = json.loads((tmp_path / "dubs" / NAME).read_text())
    return {one["output"].removesuffix(".pt.mp4"): one["state"] for one in read["files"]}


@pytest.mark.virtual_time
async def test_a_bad_file_ends_no_other(tmp_path: Path) -> None:
    crew = Crew("b.mp4")
    run = batch(tmp_path, films(tmp_path, "a", "b", "c"), crew)
    told = []
    await run.run(lambda item: told.append((item.path.stem, item.result.state)))
    assert states(tmp_path) == {"a": "finished", "b": "failed", "c": "finished"}
    assert [item.result.error for item in run.items] == [None, "it is no film", None]
    assert run.items[0].result.notes == ["a note"] and run.items[0].progress.of == 2.0
    assert told[:3] == [("a", "dubbing"), ("b", "dubbing"), ("c", "dubbing")]
    assert sorted(told[3:]) == [("a", "finished"), ("b", "failed"), ("c", "finished")]


@pytest.mark.virtual_time
async def test_what_is_finished_with_the_same_settings_is_skipped(tmp_path: Path) -> None:
    inputs = films(tmp_path, "a", "b", "c", "d")
    await batch(tmp_path, inputs, Crew("b.mp4")).run()
    inputs[2][0].write_text("a new cut")
    (tmp_path / "dubs" / "d.pt.mp4").unlink()
    crew = Crew()
    again = batch(tmp_path, inputs, crew, resume=True)
    assert [item.skipped for item in again.items] == [True, False, False, False]
    await again.run()
    assert [task.job.input.stem for task in crew.asked] == ["b", "c", "d"]
    assert all(task.job.resume for task in crew.asked)
    assert set(states(tmp_path).values()) == {"finished"}


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("setting", "skipped"),
    [("tts.voice=other", False), ("tts.threads=7", True), ("serve.port=1", True)],
)
async def test_a_setting_that_changes_the_dub_makes_it_anew(
    tmp_path: Path, setting: str, skipped: bool
) -> None:
    inputs = films(tmp_path, "a")
    await batch(tmp_path, inputs, Crew()).run()
    other = load(assignments=[setting], environment={})
    again = batch(tmp_path, inputs, Crew(), resume=True, config=other)
    assert again.items[0].skipped is skipped


@pytest.mark.virtual_time
async def test_what_was_stopped_waits_and_earlier_results_stay(tmp_path: Path) -> None:
    await batch(tmp_path, films(tmp_path, "old"), Crew()).run()
    run = batch(tmp_path, films(tmp_path, "a"), Crew())
    running = asyncio.ensure_future(run.run())
    await asyncio.sleep(5)
    assert states(tmp_path) == {"a": "dubbing", "old": "finished"}
    running.cancel()
    await asyncio.wait({running})
    assert states(tmp_path) == {"a": "waiting", "old": "finished"}


def test_what_is_no_result_of_ours_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"mine": 1}')
    with pytest.raises(UserError, match="move it away"):
        Results(tmp_path)
