"""The dashboard for Grafana, and the table of the metrics, against what is exported."""

import json
import re
from pathlib import Path
from typing import Any

from server.sessions.gauges import CLUSTER_GAUGES, gauges
from server.sessions.metrics import Metrics

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "packaging" / "grafana.json").read_text())

OPTIONAL = {"livedub_peak_gpu_memory_bytes"}
"""Exported only where there is what they measure."""

NAME = r"livedub_[a-z_]+"


def exported() -> set[str]:
    """The names under which series can be queried."""
    metrics = Metrics()
    metrics.watch(lambda: gauges((), {"mt": 0}, 4))
    names = OPTIONAL | {f"livedub_cluster_{name}" for name, _, _ in CLUSTER_GAUGES}
    for family in metrics.registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


def documented() -> dict[str, set[str]]:
    """Labels by name, of the table in the operator's guide."""
    table = (ROOT / "docs" / "operate" / "daemon.md").read_text()
    rows = re.findall(rf"^\| (`{NAME}.*?) \|", table, re.MULTILINE)
    found = [one for row in rows for one in re.findall(rf"`({NAME})(?:{{(.*?)}})?`", row)]
    return {name: set(labels.split(",")) - {""} for name, labels in found}


def of_family(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name)


def panels() -> list[dict[str, Any]]:
    return [one for one in DASHBOARD["panels"] if one["type"] != "row"]


def test_every_query_is_of_metrics_and_labels_that_there_are() -> None:
    known, labels = exported(), documented()
    variable = DASHBOARD["templating"]["list"][1]["query"]["query"]
    queries = [(variable, "")]
    for panel in panels():
        queries += [(target["expr"], target["legendFormat"]) for target in panel["targets"]]
    assert len(queries) > 25
    for query, legend in queries:
        names = set(re.findall(NAME, query))
        assert names and names <= known, query
        of = set.union(*(labels[of_family(name)] for name in names)) | {"le"}
        by = re.findall(r"by \((.*?)\)", query) + re.findall(r"([a-z]+)[!=]~?\"", query)
        used = {label.strip() for one in by for label in one.split(",")}
        used |= set(re.findall(r"{{(\w+)}}", legend))
        assert used <= of, (query, used - of)


def test_nothing_that_is_exported_is_left_out_of_dashboard_and_guide() -> None:
    shown = {
        of_family(name)
        for panel in panels()
        for target in panel["targets"]
        for name in re.findall(NAME, target["expr"])
    }
    every = {of_family(name) for name in exported()}
    assert every == shown
    assert every == set(documented())


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
