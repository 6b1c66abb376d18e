"""A session plays files below ``serve.files`` and no others, however their names are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.sessions.spec import SpecError
from stream.media.source import SourceError
from tests.helpers.opened import asked, samples, terms, tone


@pytest.fixture(name="media")
def _media(tmp_path: Path) -> Path:
    (tmp_path / "media" / "Season #1").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    tone(tmp_path / "secret" / "board.mp4")
    return tmp_path / "media"


@pytest.mark.parametrize(
    "name",
    [
        "{media}/Season #1/../../secret/board.mp4",
        "{media}/Season ?1/../../secret/board.mp4",
        "file:{media}/Season #1/../../secret/board.mp4",
        "file://{media}/../secret/board.mp4",
        "subfile,,start,0,end,0,,:{secret}/board.mp4",
        "{media}/link.mp4",
        "{media}/folder.mp4",
        "{media}/pipe.mp4",
        "concat:{media}/a.mp4|{secret}/board.mp4",
        "http:{media}/a.mp4",
    ],
)
def test_no_spelling_leads_outside(name: str, media: Path) -> None:
    secret = media.parent / "secret"
    (media / "link.mp4").symlink_to(secret / "board.mp4")
    (media / "folder.mp4").mkdir()
    os.mkfifo(media / "pipe.mp4")
    with pytest.raises(SpecError):
        asked(name.format(media=media, secret=secret), terms(files=media))


def test_what_has_no_scheme_for_python_has_none_for_ffmpeg(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the working directory is allowed, a strange name is a file of that name."""
    monkeypatch.chdir(media)
    limits = terms(files=media)
    strange = f"subfile,,start,0,end,0,,:{media.parent}/secret/board.mp4"
    source = asked(strange, limits)
    with pytest.raises(SourceError, match="does not exist"):
        samples(source, limits.reach)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{secret}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_a_file_that_names_others_is_none(text: str, media: Path) -> None:
    (media / "list.mp4").write_text(text.format(secret=media.parent / "secret" / "board.mp4"))
    limits = terms(files=media)
    with pytest.raises(SourceError):
        samples(asked(f"{media}/list.mp4", limits), limits.reach)


def test_files_inside_play(media: Path) -> None:
    limits = terms(files=media)
    for name in ("a #1?.mp4", "10:30.mp4", "b.mkv"):
        source = asked(str(tone(media / name)), limits)
        assert samples(source, limits.reach) > 40_000
