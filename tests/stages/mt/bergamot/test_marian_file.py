"""A model of the hub is a stranger's file: what is not as it should be is one sentence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from stages.base import EngineError
from stages.mt.bergamot.marian_file import MarianFile
from stages.mt.bergamot.student import Student
from tests.helpers import tiny_student


def written(folder: Path, **changed: object) -> Path:
    path = folder / "model.bin"
    made = tiny_student.parameters(tiny_student.CONFIG)
    config = {key: value for key, value in (tiny_student.CONFIG | changed).items() if value}
    tiny_student.write(path, config, made)
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {"dim-emb": None},
        {"dim-emb": "many"},
        {"dim-emb": -16},
        {"transformer-heads": 7},
        {"enc-depth": "x"},
        {"enc-depth": 10**9},
    ],
)
def test_settings_that_fit_no_model(
    changed: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path))
    with pytest.raises(EngineError):
        Student(written(tmp_path, **changed))


def test_no_damage_is_more_than_a_sentence(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    chance = random.Random(7)
    names = [f"encoder_l1_self_W{part}" for part in "qkvo"]
    for _ in range(200):
        data = bytearray(whole)
        at = chance.randrange(3000)  # sizes, names and shapes
        data[at : at + chance.choice((1, 4, 8))] = chance.choice((b"\xff" * 8, bytes(4), b"\x7f"))
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        try:
            file = MarianFile(path)
            for name in names:
                file.matrix(name)
            file.vector("encoder_l1_self_bq")
        except EngineError as error:
            assert "\n" not in str(error).strip()
