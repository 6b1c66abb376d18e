"""A file that is dubbed by somebody's subtitles: a transcript or a translation of what is said."""

from __future__ import annotations

import asyncio
from pathlib import Path

from server.config import Config
from server.sessions.assembly import detection, segmenter
from stages.vad import SileroDetector
from stream.errors import UserError
from stream.frames import AudioChunk
from stream.intervals import merge
from stream.languages import language_name, language_tag, same_language
from stream.media.cue_file import read_cues
from stream.media.reading import batches
from stream.media.source import MediaSource
from stream.media.webvtt import timestamp
from stream.speech.detection import Windows
from stream.speech.script import Script
from stream.timeline import TICK_RATE, Interval

NAMED = 5
"""Cues over no speech that are named one by one."""


def language_of(path: Path, given: str | None, config: Config) -> tuple[str, bool]:
    """The language of subtitles, and whether it is that of the dub, and not of the source.

    Args:
        path: its name may tell, as ``talk.ru.srt`` does.
        given: what the command line says.
        config: checked.

    Raises:
        UserError: if that is neither what is spoken nor what is dubbed.
    """
    spoken, target = config.languages.one, config.target
    language = language_tag(given) if given is not None else _suffix(path)
    if language is not None:
        if spoken is not None and same_language(language, spoken):
            return language, False
        if same_language(language, target):
            return language, True
        if spoken is None:  # it is for each utterance to tell, and here somebody has
            return language, False
    said = f"are in {language_name(language)}" if language else "do not tell their language"
    raise UserError(
        f"the subtitles {path} {said}: with --subtitles-lang say {spoken or 'which'} for a "
        f"transcript of what is spoken, or {target} for its translation (--source-lang, "
        "--target-lang)"
    )


def _suffix(path: Path) -> str | None:
    inner = Path(path.stem).suffix.removeprefix(".")
    try:
        return language_tag(inner) if inner else None
    except ValueError:
        return None


async def script_of(path: Path, given: str | None, media: Path, config: Config) -> Script:
    """Subtitles, timed to the speech of a file.

    Args:
        path: SubRip or WebVTT.
        given: their language, if it is not told by their name.
        media: the file that is dubbed.
        config: checked.

    Raises:
        UserError: if they are malformed, or in another language.
    """
    language, translated = language_of(path, given, config)
    cues = await asyncio.to_thread(read_cues, path)
    return Script(cues, await _speech_of(media, config), language, translated=translated)


def scripted(config: Config, script: Script) -> Config:
    """The configuration of a dub whose words are those of a script.

    Those of a translation are spoken as they are, and cut by the rules of their language.
    """
    update: dict[str, object] = {}
    update["languages"] = config.languages.model_copy(update={"source": script.language})
    if script.translated:
        update["mt"] = config.mt.model_copy(update={"engine": "none"})
    return config.model_copy(update=update)


def notes_on(script: Script) -> list[str]:
    """What of a script was not dubbed, for the report; one clause each."""
    notes = []
    for cue in script.unspoken[:NAMED]:
        shown = cue.text if len(cue.text) <= 60 else f"{cue.text[:60]}…"
        notes.append(
            f"nobody speaks during the subtitle at {timestamp(cue.time.start)}, '{shown}', which "
            "is not dubbed"
        )
    if (more := len(script.unspoken) - NAMED) > 0:
        notes.append(f"{more} more subtitles are over no speech")
    if script.left:
        words = " ".join(word.text for word in script.left[:12])
        notes.append(f"{len(script.left)} words of the subtitles found no speech: {words}")
    return notes


async def _speech_of(media: Path, config: Config) -> list[Interval]:
    """The stretches of speech that the segmenter will find in a file, ticks."""
    source = MediaSource(media, choice=config.input, language=config.languages.one)
    detector = SileroDetector()
    detecting = detection(config, detector, source.info.centre, config.asr.deadline, live=False)
    cutting = segmenter(config, detector.window, delay=None, pace=0.0)
    found: list[Interval] = []

    def add(windows: Windows) -> None:
        for utterance in cutting.push(windows.audio, windows.probabilities):
            found.extend(utterance.speech)

    try:
        async for batch in batches(source, TICK_RATE // 2):
            if chunks := [item for item in batch if isinstance(item, AudioChunk)]:
                add(await detecting.push(chunks))
        add(await detecting.flush())
    finally:
        source.close()
        await detector.aclose()
    return merge([*found, *(part for last in cutting.finish() for part in last.speech)])
