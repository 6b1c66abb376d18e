"""A recording is neither overwritten nor lost with its process, and goes when it is meant to."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

import server.outputs.recording
from server.outputs.recording import Recording
from server.outputs.retention import hold, recover, tidy
from server.sessions.spec import OutputSpec
from tests.helpers.bare_feed import bare_feed, play


async def _recorded(path: Path) -> Recording:
    async with bare_feed() as feed:
        recording = Recording(feed, path)
        running = asyncio.create_task(recording.run())
        await play(feed, [], 0, 3, pace=100)
        await recording.aclose()
        await running
    return recording


async def test_two_of_one_name_are_both_there(tmp_path: Path) -> None:
    for _ in range(3):
        await _recorded(tmp_path / "meeting.mp4")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["meeting-2.mp4", "meeting-3.mp4", "meeting.mp4"]
    assert len({path.stat().st_ino for path in tmp_path.iterdir()}) == 3


async def test_a_name_may_have_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in (0, 0, 7):
        now = time.struct_time((2026, 11, 29, 3, 26, second, 6, 333, 0))
        monkeypatch.setattr(server.outputs.recording.time, "gmtime", lambda now=now: now)
        await _recorded(tmp_path / "ferry-%Y-%m-%d_%H%M%S.mkv")
    names = sorted(path.name for path in tmp_path.iterdir())
    day = "ferry-2026-11-29"
    assert names == [f"{day}_032600-2.mkv", f"{day}_032600.mkv", f"{day}_032607.mkv"]


@pytest.mark.parametrize("name", ["%Y%m.mp4", "a-%H.mkv", "%z.mp4", "a%.mp4", "a%%Y.mp4", "%n.mp4"])
def test_and_nothing_else_of_the_machine(name: str) -> None:
    if name in ("%Y%m.mp4", "a-%H.mkv"):
        OutputSpec(record=name)
        return
    with pytest.raises(ValidationError):
        OutputSpec(record=name)


def test_what_a_killed_process_left_gets_a_name(tmp_path: Path) -> None:
    (tmp_path / ".ferry.part.mp4").write_bytes(b"left")
    (tmp_path / ".ferry-2.part.mkv").write_bytes(b"left as well")
    (tmp_path / "ferry.mp4").write_bytes(b"earlier")
    (tmp_path / ".empty.part.mp4").touch()
    (tmp_path / ".other.part.txt").write_text("not ours")
    (tmp_path / ".link.part.mp4").symlink_to(tmp_path / "ferry.mp4")
    busy = tmp_path / ".busy.part.mp4"
    busy.write_bytes(b"of another daemon")
    with hold(busy):
        found = {path.name: path.read_bytes() for path in recover(tmp_path)}
    assert found == {"ferry-2.mp4": b"left", "ferry-2.mkv": b"left as well"}
    assert (tmp_path / "ferry.mp4").read_bytes() == b"earlier"
    left = {path.name for path in tmp_path.glob(".*")}
    assert left == {".busy.part.mp4", ".link.part.mp4", ".other.part.txt"}
    assert recover(tmp_path / "absent") == []


async def test_one_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    async with bare_feed() as feed:
        recording = Recording(feed, tmp_path / "live.mkv")
        running = asyncio.create_task(recording.run())
        await play(feed, [], 0, 4, pace=100)
        async with asyncio.timeout(10):
            while not list(tmp_path.glob(".live.part.mkv")):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert recover(tmp_path) == []
        await recording.aclose()
        await running
    assert [path.name for path in tmp_path.iterdir()] == ["live.mkv"]


@pytest.mark.parametrize(
    ("days", "size", "kept"),
    [
        (None, None, {"a.mp4", "b.mkv", "c.mp4"}),
        (2.5, None, {"b.mkv", "c.mp4"}),
        (None, 250, {"b.mkv", "c.mp4"}),
        (None, 199, {"c.mp4"}),
        (0.5, 10_000, set()),
    ],
)
def test_old_ones_go_first_and_nothing_else(
    tmp_path: Path, days: float | None, size: int | None, kept: set[str]
) -> None:
    for age, name in ((3, "a.mp4"), (2, "b.mkv"), (1, "c.mp4"), (9, "notes.txt")):
        (tmp_path / name).write_bytes(bytes(100))
        then = time.time() - age * 86_400
        os.utime(tmp_path / name, (then, then))
    (tmp_path / ".a.part.mp4").write_bytes(bytes(1000))
    tidy(tmp_path, days, size)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "notes.txt", ".a.part.mp4"}
