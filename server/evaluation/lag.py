"""Lag of a dub behind its source, segment by segment, as the viewer hears it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from server.evaluation.lagging import (
    TokenChunk,
    average_token_delay,
    length_adaptive_average_lagging,
    speech_tokens,
)
from server.evaluation.performance import Spoken
from server.evaluation.words import resegment
from stream.timeline import Interval, seconds, ticks


def heard_words(utterance: Spoken, delay: float) -> Iterator[tuple[str, float]]:
    """Each word of a dub and when the viewer has heard its end, in seconds of source time.

    The dub's time is divided among its words in proportion to their length.
    """
    if utterance.dub is None:
        return
    words = utterance.translation.split()
    ends = np.cumsum([len(word) + 1 for word in words])
    start, end = utterance.dub
    for word, share in zip(words, ends / max(ends[-1] if words else 1, 1), strict=True):
        yield word, float(start + share * (end - start) + delay)


def segment_lags(
    utterances: Sequence[Spoken],
    segments: Sequence[Interval],
    windows: Sequence[Interval],
    delay: float,
) -> dict[str, list[list[float]]]:
    """Start and end offset, LAAL and ATD, where utterances belong to segments by time.

    Args:
        utterances: in the order of time.
        segments: when each is said.
        windows: each segment's share of the clip.
        delay: playout delay, seconds.
    """
    rows: dict[str, list[list[float]]] = {
        name: [[] for _ in segments] for name in ("start_offset", "end_offset", "laal", "atd")
    }
    owned: list[list[Spoken]] = [[] for _ in segments]
    for utterance in utterances:
        slot = Interval(ticks(utterance.slot[0]), ticks(utterance.slot[1]))
        owned[int(np.argmax([slot.overlap(window) for window in windows]))].append(utterance)
    for index, (segment, mine) in enumerate(zip(segments, owned, strict=True)):
        begin, length = seconds(segment.start), seconds(segment.duration)
        dubs = [u.dub for u in mine if u.dub is not None]
        if not dubs:
            continue
        rows["start_offset"][index] = [dubs[0][0] + delay - begin]
        rows["end_offset"][index] = [dubs[-1][1] + delay - begin - length]
        words = [end - begin for u in mine for _, end in heard_words(u, delay)]
        if words:
            rows["laal"][index] = [length_adaptive_average_lagging(words, length)]
        chunks = [
            TokenChunk(
                speech_tokens(u.slot[0] - begin, u.slot[1] - begin),
                speech_tokens(u.dub[0] + delay - begin, u.dub[1] + delay - begin) if u.dub else (),
            )
            for u in mine
        ]
        token_delay = average_token_delay(chunks)
        if token_delay is not None:
            rows["atd"][index] = [token_delay]
    return rows


def stream_lags(
    utterances: Sequence[Spoken],
    segments: Sequence[Interval],
    references: Sequence[str],
    delay: float,
) -> list[list[float]]:
    """StreamLAAL: LAAL of each segment, where words belong to it by their alignment.

    Args:
        utterances: in the order of time.
        segments: when each is said.
        references: its translation.
        delay: playout delay, seconds.
    """
    heard = [pair for utterance in utterances for pair in heard_words(utterance, delay)]
    rows: list[list[float]] = []
    cuts = resegment([word for word, _ in heard], references)
    for segment, reference, cut in zip(segments, references, cuts, strict=True):
        # A word heard before its segment starts does not count as early.
        delays = [max(0.0, end - seconds(segment.start)) for _, end in heard[cut]]
        length = seconds(segment.duration)
        count = len(reference.split())
        rows.append([length_adaptive_average_lagging(delays, length, count)] if delays else [])
    return rows
