"""A colon in a relative file name was taken for a protocol; it must be opened as a file."""

from pathlib import Path

import av
import pytest

from server.sessions.sources import Pull
from stages.speakers.reference import read_clip
from stream.media.address import address
from stream.media.soundtrack import read_soundtrack
from tests.helpers.dubbed_file import read, written
from tests.helpers.films import Track, film

NAMES = ("2024-05-01T10:30.mkv", "http:x.mkv", "concat:a|b%20c.mkv")


@pytest.mark.parametrize("name", NAMES)
def test_files_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = film(tmp_path / "plain.mkv", Track(), length=0.4).rename(name)
    written(Path(path.name), Path("12:30 out.mkv"))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["12:30 out.mkv", name])
    with av.open(address(Path("12:30 out.mkv"))) as out:
        assert len(out.streams.audio) == 2
    _, sound, _ = read(Path(name))
    assert len(sound) > 0.3 * 48_000


def test_clips_and_measured_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "plain.mkv", Track()).rename("10:30.mkv")
    assert len(read_clip(Path("10:30.mkv"))) > 10_000
    assert len(read_soundtrack(Path("10:30.mkv")).samples) > 15_000


async def test_a_session_reads_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "plain.mkv", Track()).rename("10:30.mkv")
    connection = await Pull("10:30.mkv").connect()
    assert connection is not None
    assert [batch async for batch in connection.batches()]
