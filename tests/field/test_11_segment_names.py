"""HLS whose segments do not end in .ts or .m4s could not be pulled; it must be, whatever they are
called, while no playlist from the network may lead to a local file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server.sessions.sources import Pull
from stream.media.source import SourceError
from tests.helpers.made_sources import beeping, read
from tests.helpers.served_folder import playlist, served


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beeping(tmp_path_factory.mktemp("hls") / "a.ts", length=2)


@pytest.mark.parametrize("name", ["a.ts", "a.php", "a.jpg", "a", "a.css?token=1", "a.php?x=.ts"])
def test_segments_may_have_any_name(segment: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(segment, tmp_path / name.partition("?")[0])
    (tmp_path / "live.m3u8").write_text(playlist(name, seconds=2))
    with served(tmp_path) as here:
        heard = read(Pull(f"{here.url}/live.m3u8").open())
    assert heard.beeps == pytest.approx([0, 1], abs=0.06)
    assert len(heard.pictures) == 50


@pytest.mark.parametrize("name", ["index", "live.php", "live.m3u8?key=1"])
def test_playlists_may_have_any_name(segment: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(segment, tmp_path / "a.bin")
    (tmp_path / name.partition("?")[0]).write_text(playlist("a.bin", seconds=2))
    with served(tmp_path) as here:
        assert len(read(Pull(f"{here.url}/{name}").open()).pictures) == 50


@pytest.mark.parametrize("scheme", ["file://", "", "concat:", "subfile:,,start,0,end,0,,:"])
def test_a_playlist_does_not_lead_to_local_files(
    segment: Path, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "live.m3u8").write_text(playlist(f"{scheme}{segment}", seconds=2))
    with served(tmp_path) as here, pytest.raises(SourceError):
        heard = read(Pull(f"{here.url}/live.m3u8").open())
        assert heard.pictures == [], "nothing of the file is shown"
        raise SourceError("there was nothing in it")
