"""A student model: beam search with a forced beginning, true probabilities and word alignment."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stages.base import EngineError
from stages.mt.bergamot.graph import Shape, graphs, output_rows
from stages.mt.bergamot.marian_file import MarianFile, Matrix
from stream.frames import Samples

END = 0
"""The token that ends a sentence."""

LONGEST_FACTOR, LONGEST_MORE = 2.5, 10
"""Most tokens of a translation, for each of the source and in addition."""

_MORE = 6
"""Tokens whose scores are computed in full, beyond those that are needed."""

_WIDE = 64
"""Tokens looked at for one that may stand where only some may."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A translation.

    Attributes:
        tokens: without ``END``.
        total: sum of the log-probabilities of tokens and ``END``.
        length: how many there are.
        attention: of each token to those of the source, ``END`` included,
            ``(len(tokens), len(source) + 1)``.
    """

    tokens: tuple[int, ...]
    total: float
    length: int
    attention: Samples

    @property
    def score(self) -> float:
        """Mean log-probability."""
        return self.total / self.length


@dataclass(slots=True)
class _Beam:
    """Hypotheses that go on, in order of their rows in ``cells``."""

    tokens: list[tuple[int, ...]]
    scores: list[float]
    attention: list[tuple[Samples, ...]]
    cells: list[Samples]


class Student:
    """A model with its graphs loaded; one thread at a time may use it.

    Args:
        path: of a Marian file.

    Raises:
        EngineError: if it is no student model.
    """

    def __init__(self, path: Path) -> None:
        file = MarianFile(path)
        options = onnxruntime.SessionOptions()
        # The matrices are too small to share.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._shape = Shape.of(file)
            self._source = file.matrix(self._shape.source)
            self._target = file.matrix(self._shape.target)
            self._rows, self._bias = output_rows(file, self._shape)
            made = graphs(file, self._shape)
            self._encoder, self._step, self._output = (
                onnxruntime.InferenceSession(str(graph), options, ["CPUExecutionProvider"])
                for graph in (made.encoder, made.step, made.output)
            )
        except EngineError:
            raise
        except Exception as error:  # a file may lie, and onnxruntime's errors have no base
            raise EngineError(f"{path} cannot be loaded: {error}") from error

    @property
    def vocabularies(self) -> tuple[int, int]:
        """Tokens of source and target."""
        return len(self._source.values), len(self._target.values)

    def search(
        self,
        source: Sequence[int],
        beam: int,
        forced: Sequence[int] = (),
        may_follow: NDArray[np.bool_] | None = None,
    ) -> list[Hypothesis]:
        """The likeliest translations that beam search finds, the best first.

        Args:
            source: tokens, without ``END``.
            beam: hypotheses kept, and returned.
            forced: tokens that the translation begins with.
            may_follow: which tokens may come right after them; all if not given.

        Returns:
            What follows ``forced``, without ``END``, each with its mean log-probability, ``END``
            included.
        """
        source = [*source, END]
        memory = self._encoded(source)
        cells, last = self._begun(memory, forced)
        done: list[Hypothesis] = []
        live = _Beam([()], [0.0], [()], cells)
        for place in range(int(LONGEST_FACTOR * len(source)) + LONGEST_MORE):
            hidden, attention = self._advance(live, memory, last, len(forced) + place)
            last = self._extend(live, hidden, attention, beam - len(done), done,
                                None if place else may_follow)  # fmt: skip
            if not last:
                break
        else:
            done += map(_finished, live.tokens, live.scores, live.attention)
        return sorted(done, key=lambda hypothesis: -hypothesis.score)

    def score(self, source: Sequence[int], target: Sequence[int]) -> float:
        """Mean log-probability of a translation, ``END`` included.

        Args:
            source: tokens, without ``END``.
            target: likewise.
        """
        memory = self._encoded([*source, END])
        beam = _Beam([()], [0.0], [()], self._silent())
        states = []
        for place, token in enumerate((-1, *target)):
            hidden, _ = self._advance(beam, memory, [token], place)
            states.append(hidden)
        hidden, wanted = np.concatenate(states), np.array([*target, END])
        _, total = self._output.run(None, {"hidden": hidden, "k": np.array([1])})
        return float(np.mean(self._scores(hidden, wanted[:, None], total)))

    def _encoded(self, tokens: Sequence[int]) -> dict[str, Samples]:
        """Keys and values of the source, as the step takes them."""
        x = self._embedded(self._source, tokens, 0)
        names = [output.name for output in self._encoder.get_outputs()]
        return dict(zip(names, self._encoder.run(names, {"x": x[None]}), strict=True))

    def _silent(self) -> list[Samples]:
        return [np.zeros((1, 1, self._shape.width), np.float32)] * self._shape.decoder

    def _begun(
        self, memory: dict[str, Samples], forced: Sequence[int]
    ) -> tuple[list[Samples], list[int]]:
        """The cells once the forced tokens but the last are read, and that one."""
        beam = _Beam([()], [0.0], [()], self._silent())
        read = [-1, *forced]
        for place, token in enumerate(read[:-1]):
            self._advance(beam, memory, [token], place)
        return beam.cells, read[-1:]

    def _advance(
        self, beam: _Beam, memory: dict[str, Samples], last: Sequence[int], place: int
    ) -> tuple[Samples, Samples]:
        """Read the last token of each hypothesis; its last layer and its attention."""
        x = self._embedded(self._target, last, place, rows=True)[:, None]
        cells = {f"cell{layer}": cell for layer, cell in enumerate(beam.cells, 1)}
        *beam.cells, hidden, attention = self._step.run(None, {"x": x, **cells, **memory})
        return hidden, attention

    def _extend(
        self,
        beam: _Beam,
        hidden: Samples,
        attention: Samples,
        width: int,
        done: list[Hypothesis],
        may_follow: NDArray[np.bool_] | None,
    ) -> list[int]:
        """Let the best hypotheses go on; their last tokens, none if all have ended."""
        k = min(width + _MORE if may_follow is None else _WIDE, len(self._bias))
        tokens, total = self._output.run(None, {"hidden": hidden, "k": np.array([k])})
        scores = self._scores(hidden, tokens, total)
        found = [
            (beam.scores[row] + float(score), row, int(token))
            for row in range(len(tokens))
            for score, token in zip(scores[row], tokens[row], strict=True)
            if may_follow is None or may_follow[token]
        ]
        best = sorted(found, key=lambda one: -one[0])[:width]
        rows: list[int] = []
        longer = _Beam([], [], [], [])
        for score, row, token in best:
            read = (*beam.attention[row], attention[row])
            if token == END:
                done.append(_finished(beam.tokens[row], score, read))
                continue
            rows.append(row)
            longer.tokens.append((*beam.tokens[row], token))
            longer.scores.append(score)
            longer.attention.append(read)
        beam.tokens, beam.scores = longer.tokens, longer.scores
        beam.attention = longer.attention
        beam.cells = [cell[rows] for cell in beam.cells]
        return [tokens[-1] for tokens in beam.tokens]

    def _scores(self, hidden: Samples, tokens: NDArray[np.int64], total: Samples) -> Samples:
        """Log-probabilities of ``tokens (n, k)`` by the last layer, ``(n, 1, width)``."""
        rows = self._rows.values[tokens].astype(np.float32) / np.float32(self._rows.multiplier)
        scores: Samples = np.einsum("nd,nkd->nk", hidden[:, 0], rows) + self._bias[tokens] - total
        return scores

    def _embedded(
        self, table: Matrix, tokens: Sequence[int], first: int, *, rows: bool = False
    ) -> Samples:
        """Embeddings with the sinusoids of their places; ``-1`` is the start of the target.

        Args:
            table: of the embeddings.
            tokens: to embed.
            first: place of the first one.
            rows: whether all stand in that place.
        """
        width = self._shape.width
        ids = np.asarray(tokens)
        scale = np.float32(math.sqrt(width) / table.multiplier)
        x: Samples = table.values[ids].astype(np.float32) * scale
        x[ids < 0] = 0
        places = np.full(len(ids), first) if rows else np.arange(first, first + len(ids))
        x += _sinusoids(width, places)
        return x


@functools.cache
def _frequencies(width: int) -> NDArray[np.float64]:
    half = width // 2
    frequencies: NDArray[np.float64] = 10_000.0 ** (-np.arange(half) / max(half - 1, 1))
    return frequencies


def _sinusoids(width: int, places: NDArray[np.int64]) -> Samples:
    angles = places[:, None] * _frequencies(width)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _finished(tokens: tuple[int, ...], total: float, attention: tuple[Samples, ...]) -> Hypothesis:
    rows = np.array(attention[: len(tokens)])
    return Hypothesis(tokens, total, max(len(attention), 1), rows)
