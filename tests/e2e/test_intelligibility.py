"""The whole pipeline on real models: what the finished file says is what the script said."""

import asyncio
import re
from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from stages.asr.whisper import FasterWhisper
from stream.media.soundtrack import read_soundtrack


def words(text: str) -> list[str]:
    text = text.lower().replace("traveling", "travelling")
    return re.findall(r"[a-z']+", text)


def word_errors(reference: list[str], heard: list[str]) -> int:
    """Levenshtein distance in words."""
    row = list(range(len(heard) + 1))
    for i, expected in enumerate(reference, 1):
        above, row[0] = row[0], i
        for j, word in enumerate(heard, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (word != expected))
    return row[-1]


def test_word_errors_are_counted() -> None:
    assert word_errors(["a", "b", "c", "d"], ["a", "x", "c", "d", "e"]) == 2
    assert word_errors(["a", "b"], []) == 2


def test_a_revoiced_clip_says_what_the_script_says(clip: Clip, tmp_path: Path) -> None:
    pytest.importorskip("piper")
    out = tmp_path / "out.mp4"
    options = ["--set", "mt.engine=none", "--set", "tts.engine=piper", "--bed", "mute"]
    assert main(["file", str(clip.path), str(out), *options]) == 0
    sound = read_soundtrack(out).samples

    async def listen() -> str:
        recogniser = FasterWhisper(model="tiny.en", language="en")
        try:
            heard = []
            for sentence in clip.sentences:
                # The dub may run into the pause after the sentence, never into the next one.
                start, end = (
                    round((sentence.start - 0.2) * 16_000),
                    round((sentence.end + 0.5) * 16_000),
                )
                heard.append((await recogniser.recognise(sound[start:end])).text)
            return " ".join(heard)
        finally:
            await recogniser.aclose()

    reference = words(" ".join(sentence.text for sentence in clip.sentences))
    heard = words(asyncio.run(listen()))
    assert word_errors(reference, heard) <= 1, heard
