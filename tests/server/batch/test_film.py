"""A film in pieces is dubbed as it would be in one."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.batch.batch import Batch, Wanted
from server.batch.crew import TaskFailed
from server.batch.parted import Parting, folder_of, in_pieces
from server.batch.results import Results
from server.batch.tasks import (
    Done,
    Dubbed,
    DubFile,
    DubPiece,
    Parted,
    PieceDubbed,
    Progress,
    Task,
    Tell,
)
from server.config import load
from server.sessions.file_job import FileJob
from server.sessions.journal import journal_of
from stream.frames import Samples
from stream.media.soundtrack import read_soundtrack
from tests.helpers.crew import Here

ENGINES = (
    "asr.engine=benchmarks.sleeping:Recogniser",
    "asr.model=none",
    "mt.engine=benchmarks.sleeping:Translator",
    "tts.engine=benchmarks.sleeping:Synthesiser",
    "sound.enhance=none",
)
RATE = 16_000
PAUSES_S = (1.6, 0.0)
"""Beside the two seconds that are silent at the ends of the clip."""


@pytest.fixture(scope="module")
def film(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip three times, parted by a long pause and by one that is less long."""
    once = read_soundtrack(clip.path).samples
    parts: list[Samples] = [once]
    for pause in PAUSES_S:
        parts += [np.zeros(round(pause * RATE), np.float32), once]
    path = tmp_path_factory.mktemp("film") / "film.wav"
    with av.open(str(path), "w") as media:
        stream = media.add_stream("pcm_s16le", rate=RATE, layout="mono")
        sound = (np.concatenate(parts) * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate = RATE
        media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return path


def dubbed(film: Path, folder: Path, parting: Parting, *settings: str) -> tuple[Batch, Here]:
    folder.mkdir()
    config = load(assignments=[*ENGINES, *settings], environment={})
    wanted = Wanted(config, report=True, parting=parting)
    crew = Here(spare=1)
    batch = Batch([(film, Path("film.pt.wav"))], wanted, Results(folder), crew)
    asyncio.run(crew.run(batch))
    assert batch.items[0].result.error is None
    return batch, crew


def rows(folder: Path) -> list[dict[str, object]]:
    report = json.loads((folder / "film.pt.json").read_text())
    return [
        {key: row[key] for key in ("text", "translation", "slot", "dub")}
        for row in report["utterances"]
    ]


def test_it_is_the_same_dub(film: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _, alone = dubbed(film, whole, Parting())
    batch, crew = dubbed(film, parts, Parting(least=5.0, piece=8.0))
    assert alone.asked == ["file"]
    assert crew.asked == ["cut", "piece", "piece", "piece", "file"]
    assert rows(parts) == rows(whole) and len(rows(whole)) >= 6
    assert (parts / "film.pt.wav").read_bytes() == (whole / "film.pt.wav").read_bytes()
    counted = re.search(
        r"of (\d+) answers of the models (\d+)", " ".join(batch.items[0].result.notes)
    )
    assert counted is not None
    # After the shorter pause this recogniser, which goes by every sample, hears something else.
    assert int(counted[1]) / 2 < int(counted[2]) < int(counted[1])
    assert not folder_of(parts / "film.pt.wav").exists()
    assert not journal_of(parts / "film.pt.wav").exists()


@pytest.mark.virtual_time
async def test_a_piece_that_fails_costs_no_film(tmp_path: Path) -> None:
    class Crew:
        spare = 1
        asked: list[str] = []

        async def do(self, task: Callable[[], Awaitable[Task]], rank: int, tell: Tell) -> Done:
            asked = await task()
            self.asked.append(asked.kind)
            tell(Progress(1.0, 4.0))
            if isinstance(asked, DubPiece) and asked.first == 5:
                raise TaskFailed("its process died")
            if isinstance(asked, DubPiece):
                return PieceDubbed(12.0)
            assert isinstance(asked, DubFile) and asked.job.resume and asked.pieces is not None
            return Dubbed({"media_s": 9.0})

    config = load(environment={})
    whole = DubFile(FileJob(tmp_path / "a.mp4", tmp_path / "a.pt.mp4"), config)
    told: list[Progress] = []
    crew = Crew()
    done = await in_pieces(crew, 0, whole, Parted([0, 5, 10], 9.0), told.append)
    assert done == Dubbed({"media_s": 9.0})
    assert crew.asked == ["piece", "piece", "piece", "file"]
    assert all(progress.of == 9.0 and progress.done <= 9.0 for progress in told)
