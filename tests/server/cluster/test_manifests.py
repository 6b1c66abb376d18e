"""The manifests for KubeRay and for machines of one's own name what there is, and open nothing."""

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.commands.cluster import recipes
from server.config import Config, load

ROOT = Path(__file__).parents[3]


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "packaging" / name).read_text("utf-8")))


def given(app: dict[str, Any]) -> Config:
    assignments = [f"{key}={value}" for key, value in app["args"].items()]
    return load(assignments=assignments, environment={}, cluster=True)


def test_the_service_is_one_of_ours() -> None:
    service, policy = read("rayservice.yaml")
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    serve = yaml.safe_load(service["spec"]["serveConfigV2"])
    assert serve["proxy_location"] == "Disabled"
    (app,) = serve["applications"]
    assert app["route_prefix"] is None
    module, _, name = app["import_path"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    config = given(app)
    assert app["name"] == config.cluster.app
    assert set(recipes(config)) == {"asr", "mt", "tts"}
    assert config.cluster.deployment("asr").replicas == 4
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert all(source["from"] for source in policy["spec"]["ingress"])  # nobody unnamed


def test_models_fit_the_nodes_and_the_head_has_none() -> None:
    service, _ = read("rayservice.yaml")
    cluster = service["spec"]["rayClusterConfig"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (group,) = cluster["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    cores = int(container["resources"]["limits"]["cpu"])
    app = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"][0]
    config = given(app).cluster
    kinds = [config.deployment(kind) for kind in config.kinds]

    def cpus(which: str) -> float:
        return sum(
            one.num_cpus * (one.autoscaling_config or {}).get(which, one.replicas) for one in kinds
        )

    first, most = cpus("min_replicas"), cpus("max_replicas")
    assert first <= cores * group["minReplicas"] and most <= cores * group["maxReplicas"]


@pytest.mark.parametrize("name", ["rayservice.yaml", "ray-cluster.yaml"])
def test_versions_and_extras_are_there(name: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    text = (ROOT / "packaging" / name).read_text("utf-8")
    for named in re.findall(r"livedub\[([a-z,]+)\]", text):
        assert set(named.split(",")) <= set(extras)
    for version in re.findall(r'rayVersion: "([\d.]+)"', text):
        assert re.search(rf"ray\[serve\]>={re.escape(version.rpartition('.')[0])}", str(extras))


def test_machines_of_ones_own_keep_the_dashboard_to_themselves() -> None:
    (cluster,) = read("ray-cluster.yaml")
    (start,) = [line for line in cluster["head_start_ray_commands"] if "--head" in line]
    assert "--include-dashboard=false" in start and "--num-cpus=0" in start
    assert f"--node-ip-address={cluster['provider']['head_ip']}" in start
    assert len(cluster["provider"]["worker_ips"]) == cluster["max_workers"]
