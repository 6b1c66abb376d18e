"""Which replica a call goes to: the one with least work that has been heard of lately."""

import pytest

from server.cluster import replicas
from server.cluster.replicas import Replicas, replicas_of


def _best(table: Replicas, avoid: str = "") -> str:
    return min(table.ids, key=lambda id_: table.rank(id_, avoid))


def test_work_is_counted_in_seconds_and_not_in_calls() -> None:
    table = Replicas()
    table.there_are(["a", "b"])
    for number in range(5):
        table.sent("a", f"short {number}", number, 0.1)
    table.sent("b", "long", 9, 3.0)
    assert _best(table) == "a"
    table.done("b", "long")
    assert _best(table) == "b"
    table.heard("b", 7.5)  # others have sent it more
    assert _best(table) == "a" and _best(table, avoid="a") == "b"
    assert table.forget(9) == "b" and table.forget(9) == ""


def test_one_that_is_silent_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(replicas.time, "monotonic", lambda: now[0])
    table = Replicas()
    table.there_are(["a", "b"])
    now[0] += replicas.SILENT_S + 1
    table.heard("b", 5.0)
    assert _best(table) == "b"
    table.there_are(["a", "c"])
    assert _best(table) == "c"  # it has only just come


def test_there_is_one_table_of_a_kind() -> None:
    assert replicas_of("asr") is replicas_of("asr") is not replicas_of("mt")
