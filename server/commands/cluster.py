"""``livedub cluster``: bring the models to a Ray cluster, see how they do, take them away."""

from __future__ import annotations

import argparse
import importlib.util
import json
import socket
from typing import Any

from rich.console import Console
from rich.table import Table

from server.cluster.link import REACH_S
from server.cluster.models import NO_RAY
from server.cluster.options import KINDS, ClusterConfig, Kind
from server.cluster.recipe import recipe_of
from server.commands.models import spoken
from server.config import Config, load
from server.sessions.live import for_target
from server.sessions.spec import configured_sessions
from stream.errors import UserError


def run_cluster(options: argparse.Namespace, console: Console) -> int:
    """Do what ``livedub cluster ACTION`` asks for."""
    assignments = [*options.set, *spoken(options)]
    config = load(options.config, preset=options.preset, assignments=assignments, cluster=True)
    if config.cluster.address is None:
        raise UserError(
            "no cluster is configured: set cluster.address to HOST:PORT, or auto for this "
            "machine's (docs/operate/cluster.md)"
        )
    if importlib.util.find_spec("ray") is None:
        raise UserError(NO_RAY)
    from server.cluster.application import connect

    connect(config.cluster.address)
    return {"up": _up, "status": _status, "down": _down}[options.action](options, config, console)


def examined(config: ClusterConfig) -> tuple[bool, str]:
    """Whether the models that the configuration has on a cluster are there, and a sentence."""
    where = f"models on Ray at {config.address}"
    if importlib.util.find_spec("ray") is None:
        return False, f"{where} need pip install 'livedub[cluster]'"
    assert config.address is not None
    host, _, port = config.address.rpartition(":")
    if port.isdecimal():
        try:
            # Ray itself would wait for much longer.
            socket.create_connection((host, int(port)), REACH_S).close()
        except OSError as error:
            return False, f"{where}: nobody answers ({error.strerror or error})"
    from server.cluster.application import connect, status

    try:
        connect(config.address)
    except UserError as error:
        return False, str(error)
    found = status(config.app, config.kinds)
    if not found["running"]:
        why = found["message"] or "not all of it runs"
        return False, f"{where}: application '{config.app}': {why} (livedub cluster up)"
    kinds = (f"{kind} {one['replicas'].get('running', 0)}" for kind, one in found["kinds"].items())
    return True, f"{where}: {', '.join(kinds)}"


def recipes(config: Config) -> dict[Kind, list[str]]:
    """What the configured sessions need of each kind; of the configuration if there are none."""
    dubs = []
    for spec in configured_sessions(config.serve.sessions):
        own = spec.configured(config)
        dubs += [for_target(own, target) for target in spec.targets or [own.target]]
    found: dict[Kind, list[str]] = {}
    for kind in config.cluster.kinds:
        wanted = [dub for dub in dubs or [config] if kind != "speakers" or dub.speakers.enabled]
        if kind == "mt":
            wanted = [dub for dub in wanted if dub.languages.several is None]
        found[kind] = list(dict.fromkeys(recipe_of(kind, dub) for dub in wanted))
    return found


def application(settings: dict[str, str]) -> Any:
    """The application of models, as ``serve deploy`` and KubeRay run it: packaging/rayservice.yaml.

    Args:
        settings: ``section.key`` to a value, as ``--set`` takes it.
    """
    from server.cluster.application import bound

    assignments = [f"{key}={value}" for key, value in settings.items()]
    config = load(assignments=assignments, cluster=True)
    return bound(config.cluster, recipes(config))


def _up(options: argparse.Namespace, config: Config, console: Console) -> int:
    from server.cluster.application import deploy

    with console.status("Loading models on the cluster"):
        deploy(config.cluster, recipes(config))
    return _status(options, config, console)


def _down(options: argparse.Namespace, config: Config, console: Console) -> int:
    from server.cluster.application import remove

    app = config.cluster.app
    if not remove(app):
        raise UserError(f"there is no application '{app}' on the cluster (cluster.app)")
    console.print(f"The application '{app}' is gone.", highlight=False)
    return 0


def _status(options: argparse.Namespace, config: Config, console: Console) -> int:
    from server.cluster.application import status

    found = status(config.cluster.app, config.cluster.kinds)
    if getattr(options, "json", False):
        console.print_json(json.dumps(found))
    else:
        _show(found, config, console)
    return 0 if found["running"] else 1


def _show(found: dict[str, Any], config: Config, console: Console) -> None:
    said = "runs" if found["running"] else f"does not run: {found['message']}"
    console.print(f"The application '{config.cluster.app}' {said}", highlight=False)
    table = Table("kind", "replicas", "state", "work queued", "refused", "engines")
    for kind in KINDS:
        if (one := found["kinds"].get(kind)) is None:
            continue
        table.add_row(
            kind,
            ", ".join(f"{n} {state}" for state, n in one["replicas"].items()),
            one["state"],
            f"{one['queued_s']:.1f} s",
            str(one["refused"]),
            ", ".join(one["engines"]),
        )
    console.print(table)
