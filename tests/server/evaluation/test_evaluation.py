"""``livedub eval``: its figures, its comparison, and a whole run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from benchmarks.demo_clip import Clip
from benchmarks.demo_set import SCRIPTS, soundtrack
from server.cli import main
from server.evaluation.compare import compare
from server.evaluation.isochrony import offset_errors
from server.evaluation.lag import segment_lags, stream_lags
from server.evaluation.manifest import Manifest, for_target, read_manifest
from server.evaluation.metrics import METRICS, Pool, Unit, markdown, pooled
from server.evaluation.performance import Spoken, read_performance
from server.evaluation.record import Run
from server.evaluation.translation_scores import bleu_counts, chrf_counts
from server.evaluation.words import word_edits
from stream.errors import UserError
from stream.timeline import Interval, ticks

REFERENCES = [
    "O farol fica bem no final da baía.",
    "Vá com calma.",
    "Antes de ir embora, assine o livro na porta, por favor.",
]
HYPOTHESES = [
    "O farol está no final da baía.",
    "",
    "Antes de sair, por favor, assine o livro na porta.",
]


def test_summed_counts_give_sacrebleus_corpus_score() -> None:
    for pool, counts, score in (
        (Pool.BLEU, bleu_counts, BLEU()),
        (Pool.CHRF, chrf_counts, CHRF()),
    ):
        rows = [counts(ours, theirs) for ours, theirs in zip(HYPOTHESES, REFERENCES, strict=True)]
        assert pooled(pool, rows) == pytest.approx(
            score.corpus_score(HYPOTHESES, [REFERENCES]).score
        )


def test_word_edits_heed_neither_case_nor_figures() -> None:
    assert word_edits("It is twenty past six.", "it's 20 past six", "en") == (0, 5)
    assert word_edits("Mind the gap.", "Mind gap, please.", "en") == (2, 3)
    assert word_edits("", "Noise.", "en") == (1, 0)


@pytest.mark.parametrize("pool", [p for p in Pool if p not in (Pool.BLEU, Pool.CHRF)])
def test_no_rows_are_no_figure(pool: Pool) -> None:
    assert pooled(pool, []) is None and pooled(pool, [[], []]) is None


def test_a_ratio_weighs_units_by_their_size() -> None:
    assert pooled(Pool.RATIO, [[1, 1], [], [0, 9]]) == pytest.approx(0.1)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=8),
    st.integers(-19, 19),
)
def test_offsets_moved_by_so_much_are_off_by_so_much(lengths: list, tenths: int) -> None:
    """Utterances two hundredths apart at least, every end moved by less than the reach."""
    speech, at = [], 0
    for silence, length in lengths:
        at += ticks(5 + silence / 100)
        speech.append(Interval(at, at + ticks(length / 100)))
        at = speech[-1].end
    moved = [i.shifted(ticks(tenths / 10)) for i in speech]
    assert offset_errors(speech, moved) == pytest.approx([tenths * 100.0] * len(speech))


def run(system: str, wer: list[list[float]], onsets: list[list[float]]) -> Run:
    units = [f"clip/{index}" for index in range(len(wer))]
    return Run(
        system=system,
        kind="files",
        delay=None,
        settings=[],
        segments=units,
        clips=["clip"],
        rows={name: [] for name in METRICS} | {"wer": wer, "onset_error": onsets},
        hypotheses=[],
        tempos=[],
    )


def test_a_system_does_not_differ_from_itself() -> None:
    random = np.random.default_rng(3)
    rows = [[float(random.integers(0, 5)), 10.0] for _ in range(40)]
    onsets = [[float(random.normal(0, 50))] for _ in range(40)]
    for difference in compare(run("a", rows, onsets), run("b", rows, onsets), draws=100):
        assert difference.a == difference.b and difference.low == difference.high == 0
        assert difference.p == 1 and not difference.better


def test_a_better_system_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(4)
    errors = random.integers(2, 8, 60)
    worse = [[float(e), 20.0] for e in errors]
    clearly = [[float(e - 1), 20.0] for e in errors]
    noisy = [[float(e + random.choice((-1, 1))), 20.0] for e in errors]
    same = [[10.0]] * 60
    better = compare(run("a", worse, same), run("b", clearly, same), draws=200)[0]
    assert better.metric == "wer" and better.better == "B"
    assert better.low == pytest.approx(-1 / 20) and better.high == pytest.approx(-1 / 20)
    chance = compare(run("a", worse, same), run("b", noisy, same), draws=200)[0]
    assert chance.low < 0 < chance.high and not chance.better and chance.p > 0.05


def test_only_units_of_both_are_compared() -> None:
    a = run("a", [[1.0, 10.0]] * 10, [[1.0]] * 10)
    b = run("b", [[1.0, 10.0]] * 6, [[1.0]] * 6)
    assert {d.units for d in compare(a, b, draws=10)} == {6}


def test_too_few_units_have_no_interval() -> None:
    a, b = (run(name, [[1.0, 10.0]] * 3, [[1.0]] * 3) for name in "ab")
    assert all(d.low is None and not d.better for d in compare(a, b))


def test_the_document_has_the_table_of_the_registry() -> None:
    text = (Path(__file__).parents[3] / "docs" / "use" / "evaluation.md").read_text("utf-8")
    assert markdown() in text


def test_every_metric_says_which_way_is_better() -> None:
    for metric in METRICS.values():
        assert metric.best in ("higher", "lower") or float(metric.best) >= 0
        assert metric.definition and metric.source
    assert {m.per for m in METRICS.values()} == set(Unit)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("clips: []", "clips"),
        ("clips: [{name: a, media: none.mp4}]", "does not exist"),
        ("clips: [{name: a/b, media: none.mp4}]", "name"),
        ("clips: [{name: a, media: x, segments: [{start: 2, end: 1}]}]", "order of time"),
        ("clips: [{name: a, media: x, segments: [{start: 2}]}]", "only one of start and end"),
        ("clips: [{name: a, media: x}, {name: a, media: x}]", "same name"),
        ("clips: [{name: a, media: x, segment: []}]", "segment"),
        ("[", "neither YAML nor JSON"),
    ],
)
def test_a_wrong_manifest_gets_one_sentence(tmp_path: Path, manifest: str, says: str) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(manifest)
    with pytest.raises(UserError, match=says) as told:
        read_manifest(path)
    assert "\n" not in str(told.value)


def test_references_are_of_the_dubs_language() -> None:
    segment = {"text": "Take your time.", "translation": "Vá com calma."}
    clip = {"name": "a", "media": "a.mp4", "segments": [segment]}
    manifest = Manifest.model_validate({"source": "en", "target": "pt", "clips": [clip]})

    def reference(target: str) -> str:
        return for_target(manifest, target).clips[0].segments[0].translation

    assert reference("pt-br") == segment["translation"]
    assert reference("en") == segment["text"]
    assert reference("ru") == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["{set}"],
        ["{set}", "{set}", "--out", "{out}"],
        ["{set}", "--out", "{out}", "--clips", "nobody"],
        ["{set}", "--out", "{out}", "--config", "a", "--config", "a"],
        ["{set}", "--out", "{out}", "--config", "a/b"],
        ["{set}", "--out", "{out}", "--set", "tts.engine=nobody"],
        ["{set}", "--out", "{out}", "--dubs", "them"],
        ["{set}", "--out", "{out}", "--config", "a", "--config", "b", "--set", "b:mt.engine=none"],
        ["compare", "{set}", "{set}"],
        ["compare", "{set}"],
    ],
)
def test_a_wrong_command_gets_one_sentence(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    manifest = tmp_path / "set.yaml"
    manifest.write_text(yaml.safe_dump({"clips": [{"name": "clip", "media": str(clip.path)}]}))
    filled = [a.format(set=manifest, out=tmp_path / "out") for a in arguments]
    assert main(["eval", *filled]) == 2
    error = capsys.readouterr().err
    assert error.startswith("livedub: ") and error.count("\n") == 1


def test_a_run_and_its_comparison_with_the_baseline(clip: Clip, tmp_path: Path) -> None:
    """English to English by eSpeak, so that a recogniser can say whether it is understood."""
    segments = [{"start": s.start, "end": s.end, "text": s.text} for s in clip.sentences]
    manifest = tmp_path / "manifest.yaml"
    record = {"target": "pt", "clips": [{"name": "ferry", "media": str(clip.path)}]}
    record["clips"][0]["segments"] = segments
    manifest.write_text(yaml.safe_dump(record))
    out = tmp_path / "out"
    settings = ["--set", "mt.engine=none", "--set", "tts.engine=espeak"]
    common = ["eval", str(manifest), "--config", "mine", *settings, "--out", str(out)]
    assert main([*common, "--sequential"]) == 0
    report = json.loads((out / "eval.json").read_text())
    mine, baseline = (Run.model_validate(r) for r in report["runs"])
    assert (mine.system, baseline.system) == ("mine", "sequential")
    values = mine.values()
    assert values["wer"] < 0.2 and values["chrf"] > 80 and values["on_time"] == 1
    assert values["isochrony"] > 0.6 and values["onset_error"] < 80 and values["lost"] == 0
    assert values["dub_wer"] < 0.8 and values["picture_shift"] == 0 and values["cpu"] > 0
    assert values["stream_laal"] is None, "lag is for live pace"
    assert values["mistranslated"] == values["cut"] == 0, "nothing is translated"
    assert values["misheard"] + values["mispunctuated"] == pytest.approx(100 - values["bleu"])
    assert baseline.values()["speed_up"] == 1 and baseline.values()["picture_shift"] is None
    page = (out / "eval.html").read_text()
    assert "<svg" in page and "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    assert all(metric.title in page for metric in METRICS.values())

    both = [f"{out}/eval.json:mine", f"{out}/eval.json:sequential"]
    assert main(["eval", "compare", *both, "--out", str(tmp_path / "c")]) == 0
    names = {d["metric"] for d in json.loads((tmp_path / "c" / "compare.json").read_text())}
    assert {"wer", "chrf", "isochrony", "cpu", "dub_wer"} <= names
    assert (tmp_path / "c" / "compare.html").exists()

    # The same files as another system's, which says that it ran six seconds behind: nothing is
    # run, what is heard is scored alike, and there is a lag.
    theirs = tmp_path / "theirs"
    shutil.copytree(out / "media" / "mine", theirs)
    live = read_performance(theirs / "ferry.json").model_copy(update={"delay": 6.0})
    (theirs / "ferry.json").write_text(live.model_dump_json())
    manifest.write_text(yaml.safe_dump(record | {"target": "en"}))
    again = tmp_path / "again"
    assert main(["eval", str(manifest), "--out", str(again), "--dubs", f"theirs={theirs}"]) == 0
    (other,) = (
        Run.model_validate(r) for r in json.loads((again / "eval.json").read_text())["runs"]
    )
    for name in ("wer", "isochrony", "bleu", "onset_error"):
        assert other.rows[name] == mine.rows[name]
    values = other.values()
    assert other.delay == 6 and values["start_offset"] == pytest.approx(6, abs=0.1)
    assert values["laal"] > values["start_offset"] and values["stream_laal"] > 6
    assert "Share of dubs on time, against the delay" in (again / "eval.html").read_text()
    assert (again / "on-time.svg").read_text().startswith("<svg")


UTTERANCES = [
    Spoken(slot=(1.0, 3.0), translation="Bom dia a todos.", dub=(1.0, 2.8)),
    Spoken(slot=(3.2, 5.0), translation="O barco sai agora.", dub=(3.2, 5.5)),
    Spoken(slot=(7.0, 9.0), translation="Não foi dito.", dub=None),
]
SEGMENTS = [Interval(ticks(1), ticks(5)), Interval(ticks(7), ticks(9))]
WINDOWS = [Interval(0, ticks(7)), Interval(ticks(7), ticks(10))]


def test_lag_of_a_segment_in_two_utterances() -> None:
    rows = segment_lags(UTTERANCES, SEGMENTS, WINDOWS, delay=2.0)
    assert rows["start_offset"] == [[pytest.approx(2.0)], []]
    assert rows["end_offset"] == [[pytest.approx(2.5)], []]
    assert all(values[1] == [] for values in rows.values()), "what is not dubbed has no lag"
    # 0.3 s of dub for 0.3 s of source, two seconds later; the rest of the second dub, longer
    # than its source, answers the source's last token.
    assert 2.0 < rows["atd"][0][0] < 2.5


@given(st.floats(1, 10), st.floats(0, 5))
def test_a_longer_delay_is_a_longer_lag(delay: float, more: float) -> None:
    first, second = (segment_lags(UTTERANCES, SEGMENTS, WINDOWS, d) for d in (delay, delay + more))
    for name in ("start_offset", "end_offset", "atd"):
        assert second[name][0][0] == pytest.approx(first[name][0][0] + more)
    references = ["Bom dia a todos. O barco sai agora.", "Isto não foi dito."]
    lags = [stream_lags(UTTERANCES, SEGMENTS, references, d)[0][0] for d in (delay, delay + more)]
    assert lags[1] >= lags[0] - 1e-9


def test_the_demo_sets_scripts_are_whole() -> None:
    scripts = yaml.safe_load(SCRIPTS.read_text("utf-8"))
    for script in scripts.values():
        for line in script["lines"]:
            assert line["en"].strip() and line["pt"].strip() and line["pause"] > 0
            assert line.get("voice", "A") in script["voices"]
    assert sum(len(script["lines"]) for script in scripts.values()) > 100


def test_lines_are_where_the_demo_set_says() -> None:
    scripts = yaml.safe_load(SCRIPTS.read_text("utf-8"))
    script = scripts["interview"]
    sound, lines = soundtrack(script | {"lines": script["lines"][:3]})
    assert [line.speaker for line in lines] == ["A", "B", "A"]
    for line, following in zip(lines, lines[1:], strict=False):
        start, end = round(line.start * 48_000), round(line.end * 48_000)
        assert np.abs(sound[start : start + 9600]).max() > 0.01
        assert not sound[end : round(following.start * 48_000)].any()
