"""Where time and quality go: the causes add up, and are told where there is something to tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.manifest import Clip
from server.evaluation.metrics import METRICS
from server.evaluation.performance import Spoken
from server.evaluation.plots import plots
from server.evaluation.record import Evaluation, Onset, Run
from server.evaluation.score import LOSSES, Scored, score_texts
from server.evaluation.waterfall import quality_lost, section, table, time_lost
from stream.dub.course import Cause
from stream.frames import Fate

WORDS = st.lists(st.sampled_from(["o", "barco", "sai", "agora", "não", "vem", "hoje"]), max_size=8)
SENTENCES = WORDS.map(lambda words: " ".join(["O barco não", *words, "vem."]))
"""Of four words and more: shorter references have no BLEU."""


def run(rows: dict[str, list[list[float]]], onsets: list[Onset] | None = None) -> Run:
    return Run(
        system="mine",
        kind="livedub",
        delay=4.0,
        settings=[],
        segments=[f"ferry/{n}" for n in range(len(next(iter(rows.values()), [])))],
        clips=["ferry"],
        rows={name: [] for name in METRICS} | rows,
        hypotheses=[],
        tempos=[],
        onsets=onsets or [],
    )


def evaluation(of: Run) -> Evaluation:
    return Evaluation(
        made="", version="", machine="", load=0, source="en", target="pt", media_s=1,
        signatures={}, listener=None, references=[], runs=[of],
    )  # fmt: skip


def scored(said: list[tuple[str, str]], heard: list[Spoken]) -> Scored:
    """Of a translator that says everything twice."""
    clip = {
        "name": "ferry",
        "media": "ferry.mp4",
        "segments": [
            {"start": n, "end": n + 0.9, "text": text, "translation": translation}
            for n, (text, translation) in enumerate(said)
        ],
    }
    rows: dict[str, list[list[float]]] = {name: [[] for _ in said] for name in METRICS}
    score_texts(rows, Clip.model_validate(clip), heard, ("en", "pt"), lambda text: f"{text} {text}")
    return Scored(rows)


@given(
    st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=4),
    st.lists(st.tuples(SENTENCES, SENTENCES, st.booleans()), min_size=1, max_size=5),
)
def test_what_is_lost_of_quality_adds_up(
    said: list[tuple[str, str]], heard: list[tuple[str, str, bool]]
) -> None:
    spoken = [
        Spoken(slot=(n, n + 1), text=text, translation=words, dub=(n, n + 1) if dubbed else None)
        for n, (text, words, dubbed) in enumerate(heard)
    ]
    mine = run(scored(said, spoken).rows)
    steps = quality_lost(mine)
    assert [name for name, _ in steps] == [
        "mistranslated",
        "misheard",
        "mispunctuated",
        "cut",
        "not dubbed",
    ]
    assert 100 + sum(value for _, value in steps) == pytest.approx(mine.value("bleu"), abs=1e-6)
    if all(dubbed for *_, dubbed in heard):
        assert mine.value("unheard") == 0


def test_each_loss_is_put_down_to_its_cause() -> None:
    said = [("take your time please now", "vá com calma por favor"), ("go on then and", "vai lá e")]
    whole = [f"{text} {text}" for text, _ in said]

    def lost(texts: list[str], translations: list[str], dubbed: int = 2) -> list[str]:
        spoken = [
            Spoken(slot=(n, n + 1), text=t, translation=w, dub=(n, n + 1) if n < dubbed else None)
            for n, (t, w) in enumerate(zip(texts, translations, strict=True))
        ]
        rows = scored([(text, f"{text} {text}") for text, _ in said], spoken).rows
        return [name for name in LOSSES if abs(run(rows).value(name) or 0) > 0.01]

    texts = [text for text, _ in said]
    assert lost(texts, whole) == []
    assert lost(
        ["take you time please now", texts[1]], ["take you time please now " * 2, whole[1]]
    ) == ["misheard"]
    ended = "Take your time. Please now"
    assert lost([ended, texts[1]], [f"{ended} {ended}", whole[1]]) == ["mispunctuated"]
    assert lost(texts, ["take your time please now", whole[1]]) == ["cut"]
    assert lost(texts, whole, dubbed=1) == ["unheard"]


def test_times_are_means_of_each_fate() -> None:
    late = [Onset(fate=Fate.LATE, causes=_causes(voice)) for voice in (2.0, 3.0)]
    offline = Onset(fate=Fate.LATE, causes={Cause.OVERRUN: 0.5})
    mine = run({}, [*late, offline, Onset(fate=Fate.ON_TIME, causes=_causes(1.0))])
    steps, count = time_lost(mine, Fate.LATE)
    assert count == 2 and dict(steps)["voice"] == 2.5
    assert sum(value for _, value in steps) == pytest.approx(
        np.mean([sum(each.causes.values()) for each in late])
    )
    made = table(evaluation(mine))
    assert made is not None and len(made.columns) == 3
    page = section(evaluation(mine))
    assert '<td class="n">2.50' in page and "dropped" not in page
    assert {"time-lost"} <= {plot.name for plot in plots(evaluation(mine))}


def test_a_file_has_no_table_of_times() -> None:
    of_a_file = run({}, [Onset(fate=Fate.LATE, causes={Cause.OVERRUN: 0.5})])
    assert table(evaluation(of_a_file)) is None and section(evaluation(of_a_file)) == ""
    assert quality_lost(of_a_file) == []


def _causes(voice: float) -> dict[Cause, float]:
    return dict.fromkeys(Cause, 0.0) | {Cause.VOICE: voice, Cause.DELAY: -1.0}
