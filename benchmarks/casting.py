"""Who is told from whom, and which voice they get: ``python -m benchmarks.casting SET [SET ...]``.

``SET`` is the manifest of a set. Each stretch of speech is sorted by voice and register where the
weights of ge2e are installed (``--alone``: by register alone), and gets a voice of ``--engine``.
Nothing is recognised, translated or spoken: a minute of speech takes seconds.
``--plot`` draws the pitch of every stretch and of the voice that it would be dubbed in.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.evaluation.likeness import suits
from server.evaluation.manifest import Clip, read_manifest
from stages.speakers.cast import Cast
from stages.speakers.ge2e import Ge2e
from stages.tts.espeak.engine import REGISTERS_HZ as ESPEAK
from stages.tts.kokoro.engine import REGISTERS_HZ as KOKORO
from stages.vad import speech_in
from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE
from stream.intervals import merge
from stream.media.soundtrack import read_soundtrack
from stream.sound.pitch import Register, register_of
from stream.speech.diarize import SpeakerOptions
from stream.speech.registers import RegisterDiarizer, as_embedding
from stream.timeline import Interval, seconds, ticks

VOICES: Mapping[str, Mapping[str, float]] = {"kokoro": KOKORO, "espeak": ESPEAK}
PAUSE, SHORTEST, PADDING = ticks(0.3), ticks(0.25), round(0.15 * SPEECH_RATE)


@dataclass(frozen=True)
class Turn:
    """A stretch of speech: who says it by the reference, if it tells, and what was made of it."""

    slot: Interval
    who: str
    label: str
    voice: str
    register: Register | None


def turns(clip: Clip, voices: Mapping[str, float], encoder: Ge2e | None) -> list[Turn]:
    """A clip, sorted and cast."""
    audio = read_soundtrack(clip.media).samples
    diarizer, cast, found = RegisterDiarizer(SpeakerOptions()), Cast(voices), []
    for slot in merge(asyncio.run(speech_in(audio)), PAUSE):
        if slot.duration < SHORTEST:
            continue
        start, end = slot.start // TICKS_PER_SAMPLE, slot.end // TICKS_PER_SAMPLE
        piece = audio[max(0, start - PADDING) : end + PADDING]
        register = register_of(piece)
        voice = encoder.embedding(piece) if encoder is not None else None
        label = diarizer.assign(as_embedding(register, voice), seconds(slot.duration))
        cast.heard(label, slot.start, register)
        found.append(Turn(slot, _who(clip, slot), label, cast.voice(label, slot.start), register))
    return found


def _who(clip: Clip, slot: Interval) -> str:
    """Whose line a stretch is; nothing where it is several people's, or nobody knows."""
    if not clip.timed:
        return ""
    lines = ((Interval(ticks(s.start or 0), ticks(s.end or 0)), s.speaker) for s in clip.segments)
    people = {speaker for line, speaker in lines if line.overlap(slot) > PAUSE}
    return people.pop() if len(people) == 1 else ""


def line(clip: Clip, found: Sequence[Turn], voices: Mapping[str, float]) -> str:
    """What is said about a clip."""
    known = [turn for turn in found if turn.who]
    main = {
        who: Counter(t.label for t in known if t.who == who).most_common(1)[0][0]
        for who in {turn.who for turn in known}
    }
    right = sum(turn.label == main[turn.who] for turn in known)
    told = f", {right} of {len(known)} under their speaker's label" if known else ""
    match = [suits(t.register, Register(voices[t.voice], 1)) for t in found if t.voice]
    sure = [one for one in match if one is not None]
    kept = {label: Counter(t.voice for t in found if t.label == label) for label in
            dict.fromkeys(t.label for t in found)}  # fmt: skip
    cast = "; ".join(f"{label} {', '.join(map(str, names))}" for label, names in kept.items())
    return f"{clip.name:12} {cast}{told}; register match {sum(sure)} of {len(sure)}"


def draw(path: Path, clips: Mapping[str, Sequence[Turn]], voices: Mapping[str, float]) -> None:
    """Pitches of the stretches as dots, of the voices that dub them as bars, and of the default."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(clips), 1, figsize=(9, 2.2 * len(clips)), squeeze=False)
    for axis, (name, found) in zip(axes[:, 0], clips.items(), strict=True):
        colours = {label: f"C{n}" for n, label in enumerate(dict.fromkeys(t.label for t in found))}
        for turn in found:
            start, end = seconds(turn.slot.start), seconds(turn.slot.end)
            if turn.register is not None:
                middle, hz = (start + end) / 2, turn.register.hz
                axis.plot(middle, hz, "o", color=colours[turn.label], markersize=5)
            if turn.voice:
                axis.hlines(
                    voices[turn.voice], start, end, color=colours[turn.label], lw=5, alpha=0.4
                )
        axis.axhline(voices["jf_alpha"], color="black", lw=0.8, ls=":")
        axis.set(
            title=name, yscale="log", ylabel="Hz", ylim=(60, 400), yticks=[75, 100, 150, 200, 300]
        )
        axis.set_yticklabels(["75", "100", "150", "200", "300"])
        axis.minorticks_off()
    axes[-1, 0].set_xlabel(
        "s; dots: the original, bars: the voice of the dub, dotted: the one voice before"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure the sets that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="CLIP,...")
    parser.add_argument("--engine", choices=VOICES, default="kokoro")
    parser.add_argument("--alone", action="store_true", help="by register alone")
    parser.add_argument("--plot", type=Path, metavar="PNG")
    options = parser.parse_args()
    voices = VOICES[options.engine]
    encoder = None if options.alone else Ge2e()
    drawn = {}
    for manifest in options.sets:
        for clip in read_manifest(manifest).clips:
            if options.only and clip.name not in options.only:
                continue
            found = drawn[clip.name] = turns(clip, voices, encoder)
            print(line(clip, found, voices), flush=True)
    if options.plot is not None:
        draw(options.plot, drawn, voices)


if __name__ == "__main__":
    main()
