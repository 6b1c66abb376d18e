"""Dub clips as an interpreter built from another project's recogniser would.

    python -m benchmarks.peers.dub MANIFEST OUT --peer MODULE --python VENV/bin/python
        [--clips A,B] [--pieces] [--set KEY=VALUE ...]

Sound goes to the recogniser at the pace of the clock. It has livedub's Whisper model and number of
threads and, if its project lets one choose, 8-bit integers and livedub's beam size; everything else
is the project's default. What it commits is translated and spoken by livedub's engines, as
configured, as soon as it is known and everything before it has been spoken. Nothing is fitted to
a slot, and the picture does not wait. Words are gathered until a full stop, a question or an
exclamation mark; ``--pieces`` translates what is committed as it comes, for recognisers that commit
utterances.

Writes ``OUT/CLIP.wav``, the dub where it would be heard, ``OUT/CLIP.json`` for

    livedub eval MANIFEST --dubs MODULE=OUT --config livedub --realtime --delay 6 ...

and what the project printed to ``OUT/log/CLIP.log``. The modules are `pipecat`, `realtimestt`,
`whisper_streaming` and `whisperlivekit`; each says how to install its project. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import numpy as np

from benchmarks.peers.interpreter import Interpreter, sentences
from benchmarks.peers.recogniser import TAIL, Recogniser
from server.config import Config, load
from server.engines.options import options_of
from server.evaluation.manifest import Clip, read_manifest
from server.evaluation.performance import Performance
from server.evaluation.report import peak_rss
from server.evaluation.sequential import write_wave
from stages.registry import create
from stages.weights.resolve import resolve
from stream.frames import SPEECH_RATE
from stream.media.soundtrack import read_soundtrack


async def dub(clip: Clip, out: Path, ears: Recogniser, config: Config, *, pieces: bool) -> None:
    """Interpret one clip; writes its two files."""
    (mt, mt_options), (tts, tts_options) = options_of("mt", config), options_of("tts", config)
    interpreter = Interpreter(create("mt", mt, **mt_options), create("tts", tts, **tts_options))
    sound = read_soundtrack(clip.media).samples
    commits = ears.hear(sound)
    said = [
        await interpreter.say(piece, ears.began)
        async for piece in (commits if pieces else sentences(commits))
    ]
    performance = Performance(
        utterances=said,
        delay=0.0,
        media_s=len(sound) / SPEECH_RATE + TAIL,
        cpu_s=time.process_time() - ears.spent + ears.cpu_s,
        wall_s=time.monotonic() - ears.began,
        peak_rss_mb=round(peak_rss() / 2**20 + ears.rss_mb, 1),
    )
    track = np.concatenate([*interpreter.track, np.zeros(1, np.float32)])
    write_wave(out / f"{clip.name}.wav", track, interpreter.voice.sample_rate)
    (out / f"{clip.name}.json").write_text(performance.model_dump_json(indent=1) + "\n", "utf-8")
    await interpreter.translator.aclose()
    await interpreter.voice.aclose()


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description="Dub by another project's recogniser.")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--peer", required=True, help="a module of this folder")
    parser.add_argument("--python", type=Path, required=True, help="that its project runs in")
    parser.add_argument("--clips", type=lambda names: names.split(","))
    parser.add_argument("--pieces", action="store_true", help="do not gather sentences")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    config = load(given.config, assignments=given.set)
    logs = given.out / "log"
    logs.mkdir(parents=True, exist_ok=True)
    model = resolve(config.asr.model)
    for clip in read_manifest(given.manifest, given.clips).clips:
        ears = Recogniser(
            given.peer,
            given.python,
            model,
            beam=config.asr.beam_size,
            threads=config.asr.threads,
            log=logs / f"{clip.name}.log",
        )
        asyncio.run(dub(clip, given.out, ears, config, pieces=given.pieces))
        print(f"{given.peer}: {clip.name}", flush=True)


if __name__ == "__main__":
    main()
