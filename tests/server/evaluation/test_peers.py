import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.interpreter import Interpreter, sentences
from benchmarks.peers.recogniser import Commit, Recogniser
from server.evaluation.performance import Spoken
from stream.frames import PLAIN, Fate, Manner, Samples


class Shouting:
    async def translate(self, text: str) -> str:
        return text.upper()

    async def aclose(self) -> None:
        pass


class Beeping:
    """A second of sound for every word."""

    sample_rate = 1000

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncIterator[Samples]:
        for _ in text.split():
            yield np.ones(1000, np.float32)

    async def aclose(self) -> None:
        pass


async def test_words_are_gathered_into_sentences() -> None:
    async def words() -> AsyncIterator[Commit]:
        for index, word in enumerate(("One two", "three.", "Four?", "five")):
            yield Commit(word, index, index + 0.5)

    async def gathered() -> list[Commit]:
        return [piece async for piece in sentences(words())]

    assert await gathered() == [
        Commit("One two three.", 0, 1.5),
        Commit("Four?", 2, 2.5),
        Commit("five", 3, 3.5),
    ]


async def test_speaks_at_once_and_waits_for_what_was_said_before() -> None:
    interpreter = Interpreter(Shouting(), Beeping())  # type: ignore[arg-type]

    async def said(*pieces: Commit) -> list[Spoken]:
        began = time.monotonic() - 5.0
        return [await interpreter.say(piece, began) for piece in pieces]

    first, second, nothing = await said(
        Commit("to and fro", 2.0, 3.0), Commit("again", 4.0, 4.5), Commit("", 4.5, 4.6)
    )
    assert first.dub is not None and second.dub is not None and first.ready is not None
    assert first.translation == "TO AND FRO"
    assert 5.0 <= first.dub[0] < 6.0
    assert first.dub[1] == pytest.approx(first.dub[0] + 3.0)
    assert second.dub == pytest.approx((first.dub[1], first.dub[1] + 1.0))
    assert first.ready == pytest.approx(first.dub[0] - 2.0, abs=0.01)
    assert (first.fate, nothing.fate, nothing.dub) == (Fate.LATE, Fate.EMPTY, None)
    assert sum(map(len, interpreter.track)) == round(second.dub[1] * 1000)


async def test_tells_of_a_recogniser_that_ends_early(tmp_path: Path) -> None:
    log = tmp_path / "log"
    ears = Recogniser("nobody", Path(sys.executable), tmp_path, beam=1, threads=1, log=log)

    async def heard() -> list[Commit]:
        return [piece async for piece in ears.hear(np.zeros(16000, np.float32))]

    with pytest.raises(RuntimeError, match="ended early"):
        await heard()
    assert "nobody" in log.read_text()
