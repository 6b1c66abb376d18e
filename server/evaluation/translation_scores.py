"""Translation against a reference: sacreBLEU's BLEU and chrF by summable counts, and COMET."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

COMET_MODEL = "Unbabel/wmt22-comet-da"


@cache
def _metrics() -> tuple[Any, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return BLEU(), CHRF()


def bleu_counts(hypothesis: str, reference: str) -> list[float]:
    """Lengths and n-gram counts of one segment; sums of these are a corpus."""
    return _counts(_metrics()[0], hypothesis, reference)


def chrf_counts(hypothesis: str, reference: str) -> list[float]:
    """Character n-gram counts of one segment; sums of these are a corpus."""
    return _counts(_metrics()[1], hypothesis, reference)


def bleu_of(counts: NDArray[np.float64]) -> float:
    """Corpus BLEU, 0 to 100."""
    return float(_metrics()[0]._aggregate_and_compute([counts.astype(np.int64).tolist()]).score)


def chrf_of(counts: NDArray[np.float64]) -> float:
    """Corpus chrF, 0 to 100."""
    return float(_metrics()[1]._aggregate_and_compute([counts.astype(np.int64).tolist()]).score)


def signatures() -> dict[str, str]:
    """What sacreBLEU wants quoted beside its scores."""
    bleu, chrf = _metrics()
    bleu_counts("a", "a"), chrf_counts("a", "a")  # the number of references is part of it
    return {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}


def comet_scores(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]
) -> list[float] | None:
    """COMET of each segment, or ``None`` where unbabel-comet is not installed."""
    if importlib.util.find_spec("comet") is None:
        return None
    from comet import download_model, load_from_checkpoint

    model = load_from_checkpoint(download_model(COMET_MODEL))
    data = [
        {"src": source, "mt": hypothesis, "ref": reference}
        for source, hypothesis, reference in zip(sources, hypotheses, references, strict=True)
    ]
    return [float(score) for score in model.predict(data, batch_size=8, gpus=0).scores]


def _counts(metric: Any, hypothesis: str, reference: str) -> list[float]:
    # sacreBLEU bootstraps over the same counts; they are not part of its public interface, so a
    # test compares what comes of them with its corpus_score.
    counts: list[float] = metric._extract_corpus_statistics([hypothesis], [[reference]])[0]
    return counts
