"""How well dubs fit their slots, by settings: ``python benchmarks/fit.py --help``.

Dubs the demo clip and the talk (`talk.py`) once with each setting and prints what is heard: the
overlap of source and dub, the onset errors, and how much faster than natural the voice speaks.
Models are loaded once and transcripts are kept, so that settings differ only in their fit.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from demo_clip import SCRIPT, make_clip
from rich.console import Console
from rich.table import Table
from talk import TALK

from server.config import Config, amend, load
from server.engines.pool import EnginePool, LaneEngines, SourceEngines
from server.evaluation.measure import measure_files
from server.sessions.file import FileSession
from stages.base import Recogniser, Synthesiser
from stages.vad import SileroDetector
from stream.frames import PLAIN, Manner, Samples, Transcript
from stream.media.sink import FileSink
from stream.media.source import MediaSource

FAST = 1.25 + 1e-4
"""Rate times tempo above which listeners notice the speed."""

UNHURRIED = ("asr.deadline=600", "mt.deadline=600", "tts.deadline=600")
"""A busy machine shall cost time, not dubs."""

_FIRST = {"mt.alternatives": 1}
_PLAIN = _FIRST | {"fit.pauses": False, "fit.easy_tempo": 1.0}

SETTINGS: dict[str, dict[str, object]] = {
    "global": _PLAIN | {"fit.strategy": "global"},
    "chunk": _PLAIN | {"fit.strategy": "chunk"},
    "segment": _PLAIN | {"fit.strategy": "segment"},
    "rate": _PLAIN | {"fit.strategy": "rate"},
    "borrow": _PLAIN | {"fit.strategy": "borrow"},
    "combined": _PLAIN,
    "+ pauses": _FIRST | {"fit.pauses": True, "fit.easy_tempo": 1.0},
    "+ easy 1.05": _FIRST | {"fit.pauses": True},
    "+ easy 1.1": _FIRST | {"fit.pauses": True, "fit.easy_tempo": 1.1},
    "+ alternatives": {"fit.pauses": True},
    "default": {},
}
"""Changes of the configuration by name."""


@dataclass(frozen=True)
class Result:
    """One clip dubbed with one setting.

    Attributes:
        clip: its name.
        voice: engine that spoke.
        setting: its name.
        isochrony: overlap over union of speech, of the dub as it was played, before mixing.
        measured: the same as ``livedub measure`` finds it in the two files, if asked for.
        onset: 95th percentile of the absolute onset errors, ms.
        tempo: applied to each utterance after synthesis.
        pace: engine rate times tempo of each utterance.
        truncated: utterances that lost their end.
        dubbed: utterances heard.
    """

    clip: str
    voice: str
    setting: str
    isochrony: float
    measured: float | None
    onset: float | None
    tempo: list[float]
    pace: list[float]
    truncated: int
    dubbed: int


class RememberedSpeech:
    """A synthesiser that speaks a text at a rate once, also between runs if given a folder."""

    def __init__(self, name: str, synthesiser: Synthesiser, folder: Path | None) -> None:
        self._name = name
        self._synthesiser = synthesiser
        self._folder = folder
        self.sample_rate = synthesiser.sample_rate
        self.rate_range = synthesiser.rate_range
        self.characters_per_second = synthesiser.characters_per_second

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak, or remember."""
        key = hashlib.sha256(f"{self._name} {manner.rate:.4f} {text}".encode()).hexdigest()[:24]
        path = self._folder / f"{key}.npz" if self._folder is not None else None
        if path is not None and path.exists():
            with np.load(path) as kept:
                pieces = [kept[name] for name in kept]
        else:
            pieces = [piece async for piece in self._synthesiser.synthesise(text, manner)]
            if path is not None:
                np.savez(path, *pieces)
        for piece in pieces:
            yield piece

    async def aclose(self) -> None:
        """End the synthesiser."""
        await self._synthesiser.aclose()


class Remembering:
    """A recogniser that hears each utterance once."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self._heard: dict[tuple[bytes, bool], Transcript] = {}

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe, or remember."""
        key = audio.tobytes(), words
        if key not in self._heard:
            self._heard[key] = await self._recogniser.recognise(audio, words=words)
        return self._heard[key]

    async def aclose(self) -> None:
        """End the recogniser."""
        await self._recogniser.aclose()


async def compare(
    clips: dict[str, Path],
    voices: Sequence[str],
    settings: Sequence[str],
    *,
    speech: Path | None = None,
    live: bool = False,
    measure: bool = False,
    kept: Path | None = None,
) -> list[Result]:
    """Dub every clip with every voice and setting."""
    found: list[Result] = []
    for voice in voices:
        config = load(assignments=[f"tts.engine={voice}", *UNHURRIED])
        pool = EnginePool()
        engines, lane = await pool.source(config, voice), await pool.lane(config, voice)
        engines = replace(engines, recogniser=Remembering(engines.recogniser))
        if not live:  # which must take as long as it takes
            remembered = RememberedSpeech(voice, lane.synthesiser, speech)
            lane = replace(lane, synthesiser=remembered)
        try:
            for name, clip in clips.items():
                for setting in settings:
                    changed = amend(config, SETTINGS[setting])
                    with tempfile.TemporaryDirectory() as folder:
                        out = Path(folder) / "dub.mp4"
                        session = _session(changed, engines, lane, clip, out, live=live)
                        outcome = await session.run()
                        measured = None
                        if measure:
                            measured = (await asyncio.to_thread(measure_files, clip, out)).isochrony
                    rows = [row for row in outcome.report.utterances if row.tempo is not None]
                    found.append(
                        Result(
                            name,
                            voice,
                            setting,
                            outcome.report.summary.isochrony or 0.0,
                            measured,
                            outcome.report.summary.onset_error_ms.p95,
                            [row.tempo or 1.0 for row in rows],
                            [row.engine_rate * (row.tempo or 1.0) for row in rows],
                            outcome.report.summary.truncated,
                            len(rows),
                        )
                    )
                    result = found[-1]
                    print(voice, name, setting, result.isochrony, flush=True)
                    if kept is not None:
                        written = json.dumps([asdict(one) for one in found], indent=1)
                        await asyncio.to_thread(kept.write_text, written)
        finally:
            await engines.detector.aclose()
            await pool.aclose()
    return found


def _session(
    config: Config,
    engines: SourceEngines,
    lane: LaneEngines,
    clip: Path,
    out: Path,
    *,
    live: bool,
) -> FileSession:
    source = MediaSource(str(clip))
    sink = FileSink(
        out,
        source.info,
        language=config.target,
        source_language=config.source,
        replace=False,
        bitrate=config.output.bitrate,
    )
    own = replace(engines, detector=SileroDetector())  # which the session closes
    return FileSession(config, own, lane, source, sink, realtime=live)


def table(results: Sequence[Result]) -> Table:
    """The figures side by side."""
    shown = Table()
    for heading in (
        "clip", "voice", "setting", "isochrony", "measured", "onset p95, ms", "tempo p95",
        "tempo > 1.25", "pace median", "pace p95", "pace > 1.25", "truncated", "dubs",
    ):  # fmt: skip
        shown.add_column(heading)
    for r in results:
        shown.add_row(
            r.clip,
            r.voice,
            r.setting,
            f"{r.isochrony:.3f}",
            f"{r.measured:.3f}" if r.measured is not None else "-",
            f"{r.onset:.0f}" if r.onset is not None else "-",
            f"{np.percentile(r.tempo, 95):.2f}",
            f"{np.mean(np.array(r.tempo) > FAST):.1%}",
            f"{np.median(r.pace):.2f}",
            f"{np.percentile(r.pace, 95):.2f}",
            f"{np.mean(np.array(r.pace) > FAST):.1%}",
            str(r.truncated),
            str(r.dubbed),
        )
    return shown


def draw(results: Sequence[Result], path: Path) -> None:
    """Isochrony against the speed that it costs: up and to the left is better."""
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((r.voice, r.clip) for r in results))
    figure = Figure(figsize=(5 * len(panels), 4.5), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for r in results:
            if (r.voice, r.clip) == panel:
                fast = 100 * float(np.mean(np.array(r.pace) > FAST))
                axes.plot(fast, r.isochrony, "o", color="C3" if r.setting == "default" else "C0")
                axes.annotate(
                    r.setting, (fast, r.isochrony), xytext=(5, 3), textcoords="offset points"
                )
        axes.set(title=" ".join(panel), xlabel="% of dubs faster than 1.25", ylabel="isochrony")
        axes.margins(x=0.25)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="folder to keep the clips in between runs")
    parser.add_argument("--speech", type=Path, help="folder to keep what was spoken")
    parser.add_argument("--only", nargs="+", choices=("demo", "talk"), default=["demo", "talk"])
    parser.add_argument("--voices", nargs="+", default=["espeak", "kokoro"])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--live", action="store_true", help="at live pace, delay 6 s")
    parser.add_argument("--measure", action="store_true", help="the finished files as well")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="isochrony against speed")
    parser.add_argument("--json", type=Path, help="write every figure")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = given.clips or Path(folder)
        scripts = {"demo": SCRIPT, "talk": TALK}
        clips = {name: kept / f"{name}.mp4" for name in given.only}
        for name, path in clips.items():
            if not path.exists():
                make_clip(path, script=scripts[name])
        results = asyncio.run(
            compare(
                clips,
                given.voices,
                given.settings,
                speech=given.speech,
                live=given.live,
                measure=given.measure,
                kept=given.json,
            )
        )
    if given.plot:
        draw(results, given.plot)
    Console(width=160).print(table(results))


if __name__ == "__main__":
    main()
