"""A tiny student against the same arithmetic in numpy, and what its search promises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base import EngineError
from stages.mt.bergamot.graph import UNKNOWN
from stages.mt.bergamot.student import END, Student
from tests.helpers.examples import examples
from tests.helpers.tiny_student import CONFIG, DECODER, ENCODER, HEADS, PIECES, WIDTH
from tests.helpers.tiny_student import student as tiny

NEAR = 0.06
"""By which weights of eight bits, and activations of seven, change a mean log-probability."""

TOKENS = st.lists(st.integers(2, PIECES - 1), min_size=1, max_size=8)

TYING = [
    {"tied-embeddings-all": True},
    {"tied-embeddings-all": False, "tied-embeddings": True},
    {"tied-embeddings-all": False},
]


class Reference:
    """The model as its papers write it down, in numpy."""

    def __init__(self, made: dict[str, np.ndarray], config: dict[str, Any]) -> None:
        self.made = made
        whole = config["tied-embeddings-all"]
        self.source = made["Wemb" if whole else "encoder_Wemb"]
        self.target = made["Wemb" if whole else "decoder_Wemb"]
        self.output = made.get("decoder_ff_logit_out_W", self.target.T)

    def score(self, source: list[int], target: list[int]) -> float:
        x = self.embedded(self.source, [*source, END])
        for layer in range(1, ENCODER + 1):
            x = self.attention(x, x, f"encoder_l{layer}_self")
            x = self.feed_forward(x, f"encoder_l{layer}_ffn")
        y = self.embedded(self.target, [-1, *target])
        for layer in range(1, DECODER + 1):
            y = self.recurrent(y, f"decoder_l{layer}_rnn")
            y = self.attention(y, x, f"decoder_l{layer}_context")
            y = self.feed_forward(y, f"decoder_l{layer}_ffn")
        logits = y @ self.output + self.made["decoder_ff_logit_out_b"]
        logits[:, UNKNOWN] = -np.inf
        chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return float(np.mean([chances[n, token] for n, token in enumerate([*target, END])]))

    def embedded(self, table: np.ndarray, tokens: list[int]) -> np.ndarray:
        x = np.array([table[token] if token >= 0 else np.zeros(WIDTH) for token in tokens])
        rates = np.exp(-np.log(10_000) * np.arange(WIDTH // 2) / (WIDTH // 2 - 1))
        angles = np.arange(len(tokens))[:, None] * rates
        return x * WIDTH**0.5 + np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    def dense(self, x: np.ndarray, prefix: str, part: str) -> np.ndarray:
        return x @ self.made[f"{prefix}_W{part}"] + self.made.get(f"{prefix}_b{part}", 0)

    def normalised(self, x: np.ndarray, prefix: str) -> np.ndarray:
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-6)
        return x * self.made[f"{prefix}_ln_scale"] + self.made[f"{prefix}_ln_bias"]

    def attention(self, x: np.ndarray, memory: np.ndarray, prefix: str) -> np.ndarray:
        q, k, v = (
            self.dense(what, prefix, part)
            for what, part in ((x, "q"), (memory, "k"), (memory, "v"))
        )
        size, found = WIDTH // HEADS, []
        for head in range(HEADS):
            own = slice(head * size, (head + 1) * size)
            weights = np.exp(q[:, own] @ k[:, own].T / size**0.5)
            found.append(weights / weights.sum(1, keepdims=True) @ v[:, own])
        joined = self.dense(np.concatenate(found, axis=1), prefix, "o")
        return self.normalised(joined + x, f"{prefix}_Wo")

    def recurrent(self, x: np.ndarray, prefix: str) -> np.ndarray:
        cell, found = np.zeros(WIDTH), []
        for new, kept in zip(self.dense(x, prefix, ""), self.dense(x, prefix, "f"), strict=True):
            kept = 1 / (1 + np.exp(-kept))
            cell = kept * cell + (1 - kept) * new
            found.append(np.maximum(cell, 0))
        return self.normalised(np.array(found) + x, f"{prefix}_ffn")

    def feed_forward(self, x: np.ndarray, prefix: str) -> np.ndarray:
        inner = np.maximum(self.dense(x, prefix, "1"), 0)
        return self.normalised(self.dense(inner, prefix, "2") + x, f"{prefix}_ffn")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("students")


def load(cache: Path, **changed: Any) -> tuple[Student, Reference]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEDUB_CACHE", str(cache))
        made = tiny(cache / "model", **changed)
        (path,) = (cache / "model").glob("*.bin")
        return Student(path), Reference(made, CONFIG | changed)


@pytest.fixture(scope="module")
def student(cache: Path) -> Student:
    return load(cache)[0]


@pytest.mark.parametrize("tying", TYING)
def test_scores_are_those_of_the_papers(tying: dict[str, bool], cache: Path) -> None:
    made, reference = load(cache, **tying)
    for source, target in (([5, 9, 30], [7, 40]), ([2], []), ([11] * 12, [3, 60, 9, 9, 21])):
        assert made.score(source, target) == pytest.approx(
            reference.score(source, target), abs=NEAR
        )


@examples(0.6)
@given(TOKENS, st.lists(st.integers(2, PIECES - 1), max_size=4), st.integers(1, 4))
def test_a_search_goes_on_from_what_is_forced_and_knows_its_probability(
    student: Student, source: list[int], forced: list[int], beam: int
) -> None:
    found = student.search(source, beam, forced)
    assert len(found) == beam
    assert len({one.tokens for one in found}) == beam
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert END not in one.tokens and UNKNOWN not in one.tokens
        assert one.attention.reshape(-1, len(source) + 1).shape[0] == len(one.tokens)
        assert one.attention.sum(axis=-1) == pytest.approx(1, abs=1e-3)
    ended = [one for one in found if one.length == len(one.tokens) + 1]  # others grew too long
    whole = [
        student.score(source, [*forced, *one.tokens]) * (len(forced) + one.length) for one in ended
    ]
    if not forced:
        assert [one.total for one in ended] == pytest.approx(whole, abs=0.01)
    for one, total in zip(ended[1:], whole[1:], strict=True):  # what is forced is common to them
        assert one.total - ended[0].total == pytest.approx(total - whole[0], abs=0.01)


def test_a_wider_beam_finds_no_less_likely_translation(student: Student) -> None:
    for source in ([5, 9, 30], [20, 21, 22, 23], [44]):
        narrow, wide = (student.search(source, beam)[0].score for beam in (1, 8))
        assert wide >= narrow - 0.05


def test_only_what_may_follow_does(student: Student) -> None:
    allowed = np.zeros(PIECES, bool)
    allowed[[17, 23]] = True
    for one in student.search([5, 9, 30], 4, [8], allowed):
        assert one.tokens[0] in (17, 23)
    assert student.search([5, 9, 30], 2, [8], np.zeros(PIECES, bool)) == []


def test_graphs_are_made_once(cache: Path, student: Student) -> None:
    before = {path: path.stat().st_mtime_ns for path in (cache / "bergamot").glob("*.onnx")}
    load(cache)
    after = {path: path.stat().st_mtime_ns for path in (cache / "bergamot").glob("*.onnx")}
    assert before == after and len(before) >= 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dec-cell": "gru"}, "dec-cell: gru"),
        ({"transformer-decoder-autoreg": "self-attention"}, "self-attention"),
        ({"transformer-train-position-embeddings": True}, "position-embeddings"),
        ({"enc-depth": 3}, "lacks the parameter 'encoder_l3"),
    ],
)
def test_other_models_are_refused(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=message):
        load(tmp_path, **changed)


@pytest.mark.parametrize("damage", [b"", b"\x01", b"not a model at all, but some text" * 9])
def test_what_is_no_marian_file_is_refused(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(damage)
    with pytest.raises(EngineError, match="no model in Marian's binary format"):
        Student(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    tiny(tmp_path / "model")
    (path,) = (tmp_path / "model").glob("*.bin")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(EngineError, match="no model in Marian's binary format"):
        Student(path)
