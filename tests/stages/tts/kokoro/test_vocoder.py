"""Both ways from prosody to sound: alike, and the faster one taken."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import threadpoolctl

from stages.base import EngineError
from stages.registry import missing
from stages.tts.kokoro import graph
from stages.tts.kokoro.engine import Kokoro
from stages.tts.kokoro.graph import DECODER, SOUND, TEXT, WAVEFORM, WEIGHTS, parts
from stages.tts.kokoro.vocoder import (
    MOST_DB,
    GraphVocoder,
    NumpyVocoder,
    log_spectral_distance,
    vocoder,
)
from stages.weights.resolve import resolve

pytestmark = pytest.mark.skipif(bool(missing("tts", "kokoro")), reason="Kokoro is not installed")


Folders = tuple[Path, Path, Path]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    """Folders with all parts, with what is kept if numpy is faster, and if it is not."""
    cache = tmp_path_factory.mktemp("cache")
    everything = cache / "everything"

    def keep(made: Path) -> bool:
        shutil.copytree(made, everything)
        return True

    def copied(model: Path, folder: Path, eight_bits: bool) -> None:
        shutil.copytree(everything, folder, dirs_exist_ok=True)

    model = resolve("kokoro-v1.0-int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEDUB_CACHE", str(cache / "divided"))
        divided = parts(model, keep)
        assert parts(model, lambda made: False) == divided  # decided once
        patch.setenv("LIVEDUB_CACHE", str(cache / "whole"))
        patch.setattr(graph, "_split", copied)
        whole = parts(model, lambda made: False)
    yield everything, divided, whole
    shutil.rmtree(cache)


def test_what_was_not_chosen_is_not_kept(both: Folders) -> None:
    everything, divided, whole = ({path.name for path in folder.iterdir()} for folder in both)
    assert everything == {TEXT, SOUND, DECODER, WEIGHTS, WAVEFORM}
    assert divided == everything - {SOUND}
    assert whole == {TEXT, SOUND}
    assert isinstance(vocoder(both[1], 1), NumpyVocoder)
    assert isinstance(vocoder(both[2], 1), GraphVocoder)


def test_no_integer_convolution_of_stride_one_is_left(both: Folders) -> None:
    for name in (TEXT, SOUND, DECODER):
        kept = [n for n in onnx.load(both[0] / name).graph.node if n.op_type == "ConvInteger"]
        strides = [
            list(attribute.ints)
            for node in kept
            for attribute in node.attribute
            if attribute.name == "strides"
        ]
        assert all(stride != [1] for stride in strides)


def test_numpy_sounds_like_the_graph_with_any_number_of_threads(
    both: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.tts.kokoro.engine.parts", lambda model, faster: both[1])
    engine = Kokoro(threads=1)
    divided = engine._vocoder
    assert isinstance(divided, NumpyVocoder)
    prosody = engine._prosody("Bom dia.", 1.0, engine._styles["jf_alpha"])
    assert prosody is not None
    sound, expected = divided(prosody), GraphVocoder(both[0], 1)(prosody)
    assert sound.shape == expected.shape
    assert log_spectral_distance(sound, expected) < MOST_DB
    assert np.corrcoef(sound, expected)[0, 1] > 0.98
    divided._threads = 2
    np.testing.assert_array_equal(divided(prosody), sound)
    blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    assert blas and all(pool["num_threads"] == 1 for pool in blas)


def test_the_distance_tells_another_sound() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0, 0.1, 24_000).astype(np.float32)
    assert log_spectral_distance(one, one) == 0
    assert log_spectral_distance(one, one * np.float32(2)) > MOST_DB
    assert log_spectral_distance(one, np.roll(one, 5000)) > MOST_DB


def test_a_graph_of_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path))
    (tmp_path / "other.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match="is not a Kokoro model"):
        parts(tmp_path / "other.onnx", lambda made: True)
