"""An hour of dubbing was lost to a crash: ``--resume`` goes on without asking the models again."""

import asyncio
import contextlib
from pathlib import Path

import av
import pytest

from benchmarks.demo_clip import Clip
from server.config import load
from server.engines.pool import LaneEngines, SourceEngines
from server.sessions.file import FileSession
from server.sessions.journal import Journal, journal_of
from server.sessions.subtitle_files import SubtitleFiles
from stages.base import AlternativeTranslator, ContinuingTranslator, Rendering, TargetWord
from stages.vad import SileroDetector
from stream.dub.job import DubJob
from stream.frames import PLAIN, Manner, Samples, Transcript
from stream.media.sink import FileSink, SinkError, part_of
from stream.media.source import MediaSource
from stream.timeline import TICK_RATE
from tests.helpers import scripted
from tests.helpers.virtual_time import run_virtual


class _Recogniser(scripted.Recogniser):
    """Hears how long an utterance is: the same in every run."""

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        self.calls += 1
        return Transcript(f"utterance of {len(audio)} samples", "en")


class _Synthesiser(scripted.Synthesiser):
    def __init__(self) -> None:
        self.calls = 0

    def synthesise(self, text: str, manner: Manner = PLAIN):  # type: ignore[no-untyped-def]
        self.calls += 1
        return super().synthesise(text, manner)


class _Continuing(scripted.Translator):
    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        return [Rendering("dois", -0.5, (TargetWord("dois", 4),))]

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        return [Rendering("um dois", -1.0)]


class _FullDisk(FileSink):
    """Has room for some seconds."""

    room = 5 * TICK_RATE

    def write_audio(self, samples: Samples) -> None:
        self.room -= len(samples)
        if self.room < 0:
            raise SinkError("the disk is full")
        super().write_audio(samples)


def dub(
    clip: Clip, out: Path, *, fails: bool = False, resume: bool = False, voice: str = "default"
) -> tuple[int, int, list[DubJob]]:
    """How often recogniser and synthesiser were asked, and the jobs."""

    async def run() -> tuple[int, int, list[DubJob]]:
        config = load(assignments=["asr.mode=utterance", f"tts.voice={voice}"], environment={})
        recogniser, synthesiser = _Recogniser(), _Synthesiser()
        journal = Journal(journal_of(out), resume=resume)
        source = MediaSource(clip.path)
        sink = (_FullDisk if fails else FileSink)(
            out, source.info, language="pt", source_language="en"
        )
        session = FileSession(
            config,
            journal.source(SourceEngines(SileroDetector(), recogniser), config),
            journal.lane(LaneEngines(scripted.Translator(), synthesiser), config),
            source,
            sink,
        )
        with contextlib.suppress(SinkError):
            await session.run()
        await journal.aclose(forget=not fails)
        return recogniser.calls, synthesiser.calls, session.jobs

    return run_virtual(run())


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as media:
        return [bytes(packet) for packet in media.demux(audio=0)]


def test_it_goes_on_where_it_was(clip: Clip, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    recognised, spoken, _ = dub(clip, whole)
    first = dub(clip, out, fails=True)
    assert not out.exists() and part_of(out).exists()
    journal = journal_of(out).read_bytes()
    second = dub(clip, out, resume=True)
    assert first[0] >= 1 and first[0] + second[0] == recognised
    assert first[1] >= 1 and second[1] < spoken
    assert packets(out) == packets(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "whole.mkv"]
    # In another voice, what was heard is still known.
    journal_of(out).write_bytes(journal)
    other = dub(clip, out, resume=True, voice="other")
    assert (first[0] + other[0], other[1]) == (recognised, spoken)


def test_without_resume_it_begins_anew(clip: Clip, tmp_path: Path) -> None:
    first = dub(clip, tmp_path / "out.mkv", fails=True)
    assert dub(clip, tmp_path / "out.mkv")[0] >= first[0] >= 1  # everything again


async def test_what_a_translator_can_do_it_can_with_a_memory_too(tmp_path: Path) -> None:
    config = load(environment={})

    async def asked(*, resume: bool) -> tuple[list[Rendering], list[Rendering], int]:
        journal = Journal(tmp_path / "journal", resume=resume)
        lane = LaneEngines(_Continuing(), scripted.Synthesiser())
        model = journal.lane(lane, config).translator
        assert isinstance(model, ContinuingTranslator) and isinstance(model, AlternativeTranslator)
        rest = await model.continuations("one two", "UM", 2)
        whole = await model.alternatives("one two", 2)
        await journal.aclose(forget=False)
        return rest, whole, journal.found

    first, second = await asked(resume=False), await asked(resume=True)
    assert first == (
        [Rendering("dois", -0.5, (TargetWord("dois", 4),))],
        [Rendering("um dois", -1.0)],
        0,
    )
    assert second == (*first[:2], 2)


async def test_a_journal_that_cannot_be_kept_costs_no_dub(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"no database" * 1000)
    journal = Journal(tmp_path / "bad", resume=True)
    await journal.put(b"question", b"answer")
    assert await journal.get(b"question") is None
    await journal.aclose(forget=True)
    assert list(tmp_path.iterdir()) == []


def test_subtitles_are_there_meanwhile(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, jobs = dub(clip, tmp_path / "out.mkv")
    monkeypatch.setattr("server.sessions.subtitle_files.EVERY_S", 0.01)
    files = SubtitleFiles(tmp_path / "subs", "out", "en", "pt")

    async def run() -> None:
        following = asyncio.ensure_future(files.follow(lambda: jobs[:2]))
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if (tmp_path / "subs" / "out.pt.srt").exists():
                break
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert (tmp_path / "subs" / "out.pt.srt").read_text().count(" --> ") == 2
        await files.finish(jobs)

    asyncio.run(run())
    names = sorted(path.name for path in (tmp_path / "subs").iterdir())
    assert names == ["out.en.srt", "out.en.vtt", "out.pt.srt", "out.pt.vtt"]
    english = (tmp_path / "subs" / "out.en.srt").read_text()
    assert english.startswith("1\n00:00:0") and english.count(" --> ") == len(jobs)
    assert "," in english.splitlines()[1] and jobs[0].text in english
