"""``make eval``: its tables are ones that ``livedub eval`` makes, and it knows how far it is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evaluation import LINE, Clock, Table, estimate, manifest_in, of_people, tables
from server.arguments import build_parser
from server.evaluation.systems import systems_of
from stream.errors import UserError


@pytest.mark.parametrize("table", [*tables(), *of_people()], ids=lambda table: table.name)
def test_each_table_has_the_systems_that_it_names(table: Table) -> None:
    options = build_parser().parse_args(["eval", "set.yaml", "--out", "out", *table.arguments])
    systems = systems_of(options)
    assert tuple(system.name for system in systems) == table.systems
    assert {system.delay is not None for system in systems} == {table.live}
    assert set(table.compared or ()) <= set(table.systems)


def test_live_runs_take_as_long_as_their_media() -> None:
    live = Table("live", ("mine@3s",), ("--delays", "3"), ("a",))
    offline = Table("offline", ("espeak", "kokoro"), ())
    lengths = {"a": 60.0, "b": 600.0}
    assert list(estimate(live, lengths)) == [("live", "mine@3s", "a")]
    assert sum(estimate(live, lengths).values()) >= 60
    found = estimate(offline, lengths)
    assert len(found) == 4
    assert found["offline", "espeak", "b"] < found["offline", "kokoro", "b"] < 600


@given(st.lists(st.floats(1, 100), min_size=1, max_size=6), st.floats(0.5, 4))
def test_what_is_left_is_told_at_the_pace_so_far(lengths: list[float], pace: float) -> None:
    runs = {("table", "mine", str(n)): length for n, length in enumerate(lengths)}
    now, left = 100.0, sum(lengths)
    clock = Clock(runs, lambda: now)
    assert clock.says() == f"0 min gone, about {left / 60:.0f} min to go"
    for run, length in runs.items():
        clock.begins(run)
        now, left = now + length * pace, left - length
        clock.begins(("another", "run", ""))
        said = clock.says().replace(",", "").split()
        assert int(said[0]) == pytest.approx((now - 100) / 60, abs=0.51)
        assert int(said[4]) == pytest.approx(max(left, 0) * pace / 60, abs=0.51)


def test_lines_that_begin_a_clip_are_known() -> None:
    match = LINE.match("espeak@3s: headlines")
    assert match is not None and match.groups() == ("espeak@3s", "headlines")
    assert LINE.match("demo/eval.json and eval.html written") is None


def test_the_manifest_of_recordings_is_found_by_its_languages(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no manifest"):
        manifest_in(tmp_path)
    (tmp_path / "a.flac").touch()
    for source in ("de", "en"):
        record = {"source": source, "clips": [{"name": "a", "media": "a.flac"}]}
        (tmp_path / f"of-{source}.yaml").write_text(json.dumps(record))
    assert manifest_in(tmp_path) == tmp_path / "of-en.yaml"
