"""What ``livedub cluster`` takes."""

from __future__ import annotations

from typing import Any

from server.arguments.shared import add_configuration, add_languages


def add_cluster(commands: Any) -> None:
    """``livedub cluster up``, ``status`` and ``down``."""
    cluster = commands.add_parser("cluster", help="models on a Ray cluster, for many daemons")
    cluster.set_defaults(explained=cluster)
    actions = cluster.add_subparsers(metavar="ACTION", dest="action")
    for action, help_ in (
        ("up", "bring the models of the configuration there, or bring them up to date"),
        ("status", "show how they do"),
        ("down", "take them away"),
    ):
        one = actions.add_parser(action, help=help_)
        if action != "down":
            one.add_argument("--json", action="store_true", help="as JSON")
        add_configuration(one)
        add_languages(one)
