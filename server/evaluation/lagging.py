"""How far a translation lags behind its source, in the terms of simultaneous translation.

Pure functions over times in one unit, all counted from the source segment's start. They agree with
SimulEval's scorers, which the field's papers use.

References:
    M. Ma et al.: STACL. ACL 2019, https://aclanthology.org/P19-1289. Average lagging.

    S. Papi, M. Gaido, M. Negri, M. Turchi: Over-Generation Cannot Be Rewarded. AutoSimTrans 2022,
    https://aclanthology.org/2022.autosimtrans-1.2. Its length-adaptive form.

    S. Papi, M. Gaido, M. Negri, L. Bentivogli: StreamAtt. ACL 2024,
    https://aclanthology.org/2024.acl-long.202. The same over unsegmented speech.

    Y. Kano, K. Sudoh, S. Nakamura: Average Token Delay. Interspeech 2023,
    https://arxiv.org/abs/2211.13173.

    X. Ma et al.: SimulEval. EMNLP 2020 demos, https://aclanthology.org/2020.emnlp-demos.19.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

TOKEN_S = 0.3
"""Length of speech that counts as one token in `average_token_delay` (Kano et al.)."""


def average_lagging(
    delays: Sequence[float], source_length: float, reference_length: int | None = None
) -> float:
    """Mean lag of the target's words behind an ideal interpreter who keeps pace with the source.

    Args:
        delays: when each target word came, in order; not empty.
        source_length: of the source segment, in the same unit.
        reference_length: words of the reference; the hypothesis's own if ``None``.

    Returns:
        The lag over the words up to the first that came after the source's end; where even
        the first did, that word's delay.
    """
    return _lagging(delays, source_length, reference_length or len(delays))


def length_adaptive_average_lagging(
    delays: Sequence[float], source_length: float, reference_length: int | None = None
) -> float:
    """`average_lagging` that does not reward saying more than the reference (LAAL).

    StreamLAAL is its mean over the segments of a recording, where the hypothesis is cut by
    aligning it to the reference's segments.
    """
    return _lagging(delays, source_length, max(len(delays), reference_length or 0))


def _lagging(delays: Sequence[float], source_length: float, target_length: int) -> float:
    if delays[0] > source_length:
        return delays[0]
    pace = source_length / target_length
    lags: list[float] = []
    for index, delay in enumerate(delays):
        lags.append(delay - index * pace)
        if delay >= source_length:
            break
    return fmean(lags)


@dataclass(frozen=True, slots=True)
class TokenChunk:
    """What was heard of the source before a piece of target speech, and that piece.

    Attributes:
        source: end times of the source's tokens since the chunk before.
        target: end times of the target's tokens.
    """

    source: tuple[float, ...]
    target: tuple[float, ...]


def speech_tokens(start: float, end: float, length: float = TOKEN_S) -> tuple[float, ...]:
    """End times of the tokens in a stretch of speech: pieces of ``length`` and a rest."""
    count = max(0, int((end - start) / length + 1e-9))
    ends = [start + length * (index + 1) for index in range(count)]
    if end - start - count * length > 1e-9:
        ends.append(end)
    return tuple(ends)


def average_token_delay(chunks: Sequence[TokenChunk]) -> float | None:
    """Mean time from the end of a source token to the end of the target token that answers it.

    Target token ``t`` answers source token ``t``, less what the target was ahead of the source
    by before its chunk, and never one that had not been heard: so speech that goes on for longer
    than its source counts as late.

    Args:
        chunks: in order of time.

    Returns:
        The mean in the unit of the times, or ``None`` without target tokens.
    """
    heard: list[float] = [0.0]
    spoken = 0
    gaps: list[float] = []
    for chunk in chunks:
        ahead = max(0, spoken - (len(heard) - 1))
        heard += chunk.source
        for offset, end in enumerate(chunk.target, 1):
            gaps.append(end - heard[min(spoken + offset - ahead, len(heard) - 1)])
        spoken += len(chunk.target)
    return fmean(gaps) if gaps else None
