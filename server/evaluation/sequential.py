"""The baseline: the same models one after the other, as a plain script would run them.

Whisper transcribes the whole file, each of its segments is translated and synthesised, and the
speech is placed at the start of its segment, or after the speech before it if that is still going
on. Nothing is fitted or cut. Writes the dub alone, as 16-bit WAV, and a `Performance` as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import wave
from pathlib import Path

import numpy as np

from server.config import Config, load
from server.engines.options import options_of
from server.evaluation.performance import Performance, Spoken
from server.evaluation.report import peak_rss
from stages.registry import create
from stages.weights.resolve import resolve
from stream.dub.lateness import Lateness
from stream.frames import SPEECH_RATE, Samples
from stream.languages import base
from stream.media.soundtrack import read_soundtrack
from stream.timeline import ticks


async def dub(media: Path, out: Path, config: Config) -> Performance:
    """Dub one file.

    Args:
        media: to be dubbed.
        out: a WAV to write.
        config: names the models; the rest of it is ignored.
    """
    from faster_whisper import WhisperModel

    _, asr = options_of("asr", config)
    whisper = WhisperModel(
        str(resolve(asr["model"])),
        device="auto",
        compute_type=asr["compute_type"],
        cpu_threads=asr["threads"],
    )
    (mt, mt_options), (tts, tts_options) = options_of("mt", config), options_of("tts", config)
    translator, voice = create("mt", mt, **mt_options), create("tts", tts, **tts_options)
    began, spent = time.monotonic(), time.process_time()
    sound = read_soundtrack(media).samples
    spoken = config.languages.one
    language = base(spoken) if spoken is not None else None
    segments, _ = whisper.transcribe(sound, language=language, beam_size=config.asr.beam_size)
    rate = voice.sample_rate
    track: list[Samples] = []
    at, said = 0, []
    for segment in segments:
        text = segment.text.strip()
        translation = await translator.translate(text)
        pieces = [piece async for piece in voice.synthesise(translation)]
        start = max(at, round(segment.start * rate))
        track += [np.zeros(start - at, np.float32), *pieces]
        at = start + sum(map(len, pieces))
        late = start / rate - segment.start
        said.append(
            Spoken(
                slot=(segment.start, segment.end),
                text=text,
                translation=translation,
                dub=(start / rate, at / rate),
                fate=Lateness().fate(ticks(late)),
                speed=1.0,
                tempo=1.0,
            )
        )
    write_wave(out, np.concatenate([*track, np.zeros(1, np.float32)]), rate)
    performance = Performance(
        utterances=said,
        media_s=len(sound) / SPEECH_RATE,
        cpu_s=time.process_time() - spent,
        wall_s=time.monotonic() - began,
        peak_rss_mb=round(peak_rss() / 2**20, 1),
    )
    await translator.aclose()
    await voice.aclose()
    return performance


def write_wave(path: Path, sound: Samples, rate: int) -> None:
    """Write mono sound, 16 bits."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description="Dub by the plain sequence of models.")
    parser.add_argument("media", type=Path)
    parser.add_argument("out", type=Path, help="a .wav")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    config = load(given.config, assignments=given.set)
    performance = asyncio.run(dub(given.media, given.out, config))
    given.report.write_text(performance.model_dump_json(indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
