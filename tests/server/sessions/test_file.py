"""Whole runs on real media and real voice activity; scripted engines where faults are wanted."""

import asyncio
import math
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

import server.sessions.file
from benchmarks.demo_clip import Clip
from server.config import Config, load
from server.engines.pool import LaneEngines, SourceEngines
from server.sessions.file import FileSession, Outcome
from stages.vad import SileroDetector
from stream.flow.worker import Worker
from stream.frames import PLAIN, Fate, Manner, Samples, Transcript
from stream.media.sink import FileSink, SinkError
from stream.media.source import MediaSource, SourceError
from tests.helpers.scripted import RATE, Recogniser, Synthesiser, Translator
from tests.helpers.virtual_time import hang, run_virtual

Engines = tuple[SourceEngines, LaneEngines]


def _engines(
    *,
    detector: object = None,
    recogniser: object = None,
    translator: object = None,
    synthesiser: object = None,
) -> Engines:
    return (
        SourceEngines(detector or SileroDetector(), recogniser or Recogniser()),  # type: ignore[arg-type]
        LaneEngines(translator or Translator(), synthesiser or Synthesiser()),  # type: ignore[arg-type]
    )


def _config(*assignments: str) -> Config:
    """Scripted recognisers count utterances, so each must be heard once."""
    return load(assignments=["asr.mode=utterance", *assignments], environment={})


async def _dub(
    path: Path,
    out: Path,
    engines: Engines,
    config: Config,
    *,
    realtime: bool = False,
    meanwhile: Callable[[FileSession], object] | None = None,
) -> Outcome:
    source = MediaSource(str(path))
    sink = FileSink(out, source.info, language="pt", source_language="en")
    session = FileSession(config, *engines, source, sink, realtime=realtime)
    helper = asyncio.ensure_future(meanwhile(session)) if meanwhile else None  # type: ignore[call-overload]
    try:
        return await session.run()
    finally:
        if helper:
            await helper
        for engine in (engines[0].recogniser, engines[1].translator, engines[1].synthesiser):
            await engine.aclose()


def dub(path: Path, out: Path, engines: Engines | None = None, **kwargs: object) -> Outcome:
    config = kwargs.pop("config", _config())
    return run_virtual(_dub(path, out, engines or _engines(), config, **kwargs))  # type: ignore[arg-type]


def _sound(path: Path, track: int = 0) -> Samples:
    with av.open(str(path)) as media:
        resampler = av.AudioResampler("flt", "mono", 48_000)
        frames = [f for frame in media.decode(audio=track) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def _packets(path: Path) -> list[tuple[float, float, bytes]]:
    with av.open(str(path)) as media:
        return [
            (float(p.pts * p.time_base), float(p.dts * p.time_base), bytes(p))
            for p in media.demux(video=0)
            if p.size
        ]


def _level(sound: Samples) -> float:
    return 10 * math.log10(float(np.mean(sound.astype(np.float64) ** 2)) + 1e-12)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive() or "asyncio" in thread.name, thread.name


def test_every_dub_is_on_its_own_time_and_the_picture_is_untouched(
    clip: Clip, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    outcome = dub(clip.path, out)
    summary = outcome.report.summary
    assert (summary.utterances, summary.on_time, summary.on_time_rate) == (3, 3, 1.0)
    for row, sentence in zip(outcome.report.utterances, clip.sentences, strict=True):
        assert row.dub is not None
        assert row.dub[0] == row.slot[0]
        assert abs(row.dub[0] - sentence.start) < 0.1
        assert row.lufs_dub == pytest.approx(row.lufs_original, abs=0.3)
    before, after = _packets(clip.path), _packets(out)
    assert [data for *_, data in before] == [data for *_, data in after]
    assert np.allclose([p[0] for p in before], [p[0] for p in after], atol=1e-6)
    with av.open(str(out)) as media:
        dubbed, original = media.streams.audio
        assert dubbed.metadata["language"] == "por" and original.metadata["language"] == "eng"
        assert dubbed.disposition & av.stream.Disposition.default
        assert not original.disposition & av.stream.Disposition.default


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_sees_the_same_packets(clip: Clip, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    dub(clip.path, out)

    def hashes(path: Path) -> str:
        command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_packets"]
        command += ["-show_data_hash", "sha256", "-show_entries", "packet=pts_time,data_hash"]
        return subprocess.run(
            [*command, "-of", "csv", path], check=True, capture_output=True, text=True
        ).stdout

    assert hashes(clip.path) == hashes(out) != ""


class _Faulty:
    """Fails its second call in the way a test asks for."""

    def __init__(self, how: str) -> None:
        self.how, self.calls = how, 0
        self.worker = Worker("faulty")
        self.released = threading.Event()

    async def fault(self) -> bool:
        self.calls += 1
        if self.calls != 2:
            return False
        if self.how == "raises":
            raise RuntimeError("the model fell over")
        if self.how == "hangs":
            await self.worker.run(lambda: hang(self.released))
        return True

    async def aclose(self) -> None:
        self.released.set()
        await self.worker.aclose()


class FaultyRecogniser(_Faulty):
    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        return Transcript("" if await self.fault() else "some words here", "en")


class FaultyTranslator(_Faulty):
    async def translate(self, text: str) -> str:
        return "" if await self.fault() else text


class FaultySynthesiser(_Faulty, Synthesiser):
    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        if await self.fault():
            if self.how == "nan":
                yield np.full(RATE, np.nan, np.float32)
            elif self.how == "long":
                for _ in range(60):
                    yield np.full(RATE, 0.1, np.float32)
            return
        async for piece in Synthesiser.synthesise(self, text, manner):
            yield piece


@pytest.mark.parametrize(
    ("stage", "how"),
    [(stage, how) for stage in ("asr", "mt", "tts") for how in ("raises", "hangs", "nothing")]
    + [("tts", "nan"), ("tts", "long")],
)
def test_a_fault_costs_one_dub_and_not_the_stream(
    clip: Clip, tmp_path: Path, stage: str, how: str
) -> None:
    engines = {
        "asr": lambda: _engines(recogniser=FaultyRecogniser(how)),
        "mt": lambda: _engines(translator=FaultyTranslator(how)),
        "tts": lambda: _engines(synthesiser=FaultySynthesiser(how)),
    }[stage]()
    out = tmp_path / "out.mp4"
    # A translator that says nothing in context is asked again, without.
    config = _config(f"{stage}.deadline=0.5", "mt.context=false")
    outcome = dub(clip.path, out, engines, config=config)
    rows = outcome.report.utterances
    expected = Fate.EMPTY if (stage, how) == ("asr", "nothing") else Fate.FAILED
    assert [row.fate for row in rows] == [Fate.ON_TIME, expected, Fate.ON_TIME]
    if expected is Fate.FAILED:
        assert rows[1].fault is not None and rows[1].fault.startswith(stage)
        assert outcome.report.summary.failed == 1
    # The original is heard at its own level where the dub failed.
    dubbed, original = _sound(out), _sound(clip.path)
    start, end = (round(t * 48_000) for t in rows[1].slot)
    assert _level(dubbed[start:end]) == pytest.approx(_level(original[start:end]), abs=0.5)
    assert abs(len(dubbed) - len(original)) < 2048


def test_a_deaf_detector_leaves_the_original(clip: Clip, tmp_path: Path) -> None:
    class Deaf(SileroDetector):
        async def probabilities(self, audio: Samples) -> Samples:
            raise RuntimeError("no ears")

    out = tmp_path / "out.mp4"
    outcome = dub(clip.path, out, _engines(detector=Deaf()))
    assert outcome.report.summary.utterances == 0
    assert outcome.report.summary.deaf_windows > 0
    assert _level(_sound(out)) == pytest.approx(_level(_sound(clip.path)), abs=0.2)


def test_stopping_leaves_a_playable_file_with_what_was_dubbed(clip: Clip, tmp_path: Path) -> None:
    async def stop(session: FileSession) -> None:
        while session.position < 3 * 48_000:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        session.stop()

    out = tmp_path / "out.mp4"
    config = _config("playout.delay=2")
    outcome = dub(clip.path, out, config=config, realtime=True, meanwhile=stop)
    played = outcome.report.summary.media_s
    assert 3 <= played < clip.duration - 1
    assert len(_sound(out)) / 48_000 == pytest.approx(played, abs=0.1)
    assert outcome.report.utterances[0].fate is Fate.ON_TIME


def test_at_live_pace_dubs_are_on_time(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LoopsClock:
        process_time = time.process_time

        @staticmethod
        def monotonic() -> float:
            return asyncio.get_running_loop().time()

    monkeypatch.setattr(server.sessions.file, "time", LoopsClock)
    out = tmp_path / "out.mp4"
    outcome = dub(clip.path, out, config=_config("playout.delay=5"), realtime=True)
    summary = outcome.report.summary
    assert summary.on_time_rate == 1.0
    assert summary.first_dub_latency_s is not None and summary.first_dub_latency_s < 5
    assert summary.wall_s == pytest.approx(clip.duration + 5, abs=0.1)


def test_a_dub_that_is_still_being_made_streams_when_its_time_comes(
    clip: Clip, tmp_path: Path
) -> None:
    class Slow(Synthesiser):
        """The rest of the first utterance comes after its time."""

        calls = 0

        async def synthesise(
            self, text: str, manner: Manner = PLAIN
        ) -> AsyncGenerator[Samples, None]:
            self.calls += 1
            first = self.calls == 1
            async for piece in Synthesiser.synthesise(self, text, manner):
                yield piece
                if first:
                    await asyncio.sleep(1.2)

    out = tmp_path / "out.mp4"
    config = _config("playout.delay=4")
    outcome = dub(clip.path, out, _engines(synthesiser=Slow()), config=config, realtime=True)
    first, *others = outcome.report.utterances
    assert first.streamed and first.fate is Fate.ON_TIME
    assert not any(row.streamed for row in others)


@pytest.mark.parametrize(
    "suffix", [".mkv", ".mov", ".ts", ".m4a", ".wav", ".mp3", ".opus", ".flac"]
)
def test_other_containers(clip: Clip, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    outcome = dub(clip.path, out)
    assert outcome.report.summary.on_time == 3
    assert len(_sound(out)) / 48_000 == pytest.approx(clip.duration, abs=0.1)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(clip: Clip, tmp_path: Path) -> None:
    source = MediaSource(str(clip.path))
    with pytest.raises(SinkError, match=r"cannot be written"):
        FileSink(tmp_path / "no" / "out.mp4", source.info, language="pt", source_language="en")
    source.close()


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "cut off"), (b"not media at all" * 99, "not media")]
)
def test_unreadable_input_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        MediaSource(str(path))


def test_missing_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        MediaSource(str(tmp_path / "none.mp4"))


@pytest.mark.parametrize("realtime", [False, True])
def test_recognition_while_people_speak(clip: Clip, tmp_path: Path, realtime: bool) -> None:
    config = _config("asr.mode=incremental", "segment.late_pause=0.5", "playout.delay=5")
    outcome = dub(clip.path, tmp_path / "out.mp4", config=config, realtime=realtime)
    rows = outcome.report.utterances
    assert len(rows) == 3
    assert [row.id for row in rows] == list(range(len(rows)))
    assert all(row.dub is not None for row in rows)
    for sentence in clip.sentences:
        assert min(abs(row.slot[0] - sentence.start) for row in rows) < 0.1


@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_a_fault_while_people_speak_is_made_good_afterwards(
    clip: Clip, tmp_path: Path, how: str
) -> None:
    """Speech that was not heard while it was spoken is heard once it has ended."""
    config = _config("asr.mode=incremental", "segment.late_pause=0.5", "asr.deadline=0.5")
    engines = _engines(recogniser=FaultyRecogniser(how))
    outcome = dub(clip.path, tmp_path / "out.mp4", engines, config=config)
    rows = outcome.report.utterances
    assert len(rows) == 3
    # Only after a silence of more than a second does it begin a sentence.
    assert [row.text for row in rows] == ["Some words here", "some words here", "Some words here"]
