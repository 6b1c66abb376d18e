"""The Serve application: deployments of our models, made from the configuration."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import ray
from ray import serve
from ray.serve.config import RequestRouterConfig

from server.cluster.options import KINDS, ClusterConfig, Kind
from server.cluster.records import Load, Request
from server.cluster.replica import Replica
from stream.errors import UserError

NAMESPACE = "livedub"
"""Of our actors; Serve has its own."""


class ClusterError(UserError):
    """The cluster cannot be reached or does not do what is asked; in one sentence."""


def connect(address: str) -> None:
    """Join the cluster for as long as this process lives; blocks.

    Raises:
        ClusterError: if it cannot be reached.
    """
    # A daemon sends nothing anywhere; nor does Ray for it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            ignore_reinit_error=True,
        )
    except Exception as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ClusterError(
            f"no Ray cluster answers at {address}: {said} (cluster.address)"
        ) from None


def deploy(config: ClusterConfig, recipes: dict[Kind, list[str]]) -> None:
    """Bring the application to what the configuration says, and wait until it runs.

    Args:
        config: with an address.
        recipes: of the engines that each kind's replicas load first.

    Raises:
        ClusterError: if a deployment fails; it says why.
    """
    # No proxy: whoever reached one could have our models work for him.
    serve.start(proxy_location="Disabled")
    try:
        serve.run(bound(config, recipes), name=config.app, route_prefix=None)
    except Exception as error:
        raise ClusterError(failure(config.app) or str(error)) from None


def bound(config: ClusterConfig, recipes: dict[Kind, list[str]]) -> Any:
    """The application with a deployment of each kind, for Serve to run; see ``deploy``."""
    application: Any = None
    for kind in KINDS:
        if kind not in config.kinds:
            continue
        others = () if application is None else (application,)
        deployment = _deployment(config, kind)
        application = deployment.bind(kind, recipes.get(kind, []), "", *others)
    return application


def _deployment(config: ClusterConfig, kind: Kind) -> Any:
    asked = config.deployment(kind)
    number: dict[str, Any] = {"num_replicas": asked.replicas}
    if asked.autoscaling_config is not None:
        number = {"autoscaling_config": asked.autoscaling_config}
    return serve.deployment(
        name=kind,
        ray_actor_options={"num_cpus": asked.num_cpus, "num_gpus": asked.num_gpus},
        max_ongoing_requests=asked.max_ongoing_requests,
        max_queued_requests=asked.max_queued_requests,
        max_constructor_retry_count=2,
        request_router_config=RequestRouterConfig.model_validate(
            {
                "request_router_class": "server.cluster.router:QueuedSeconds",
                "request_router_kwargs": {"kind": kind},
            }
        ),
        health_check_period_s=2.0,
        health_check_timeout_s=10.0,
        **number,
    )(Replica)


def failure(app: str) -> str | None:
    """Why the application does not run, as far as Serve says it; ``None`` if it does not."""
    found = serve.status().applications.get(app)
    if found is None:
        return None
    said = [found.message, *(one.message for one in found.deployments.values())]
    for text in filter(None, said):
        errors = [line for line in text.splitlines() if "EngineError" in line]
        if errors:
            return errors[-1].partition("EngineError:")[2].strip()
    return next(filter(None, said), None)


def remove(app: str) -> bool:
    """Take the application away, and Serve as well if it was the last one.

    Returns:
        Whether there was one.
    """
    there = serve.status().applications
    if app not in there:
        return False
    serve.delete(app)
    if not serve.status().applications:
        serve.shutdown()  # type: ignore[no-untyped-call]
    return True


def status(app: str, kinds: Sequence[Kind]) -> dict[str, Any]:
    """How the application does, as Serve and its replicas tell it, for JSON."""
    found = serve.status().applications.get(app)
    if found is None:
        return {"running": False, "message": "there is none", "kinds": {}}
    told = {}
    for kind, one in found.deployments.items():
        loads = _loads(kind, app) if kind in kinds else []
        told[kind] = {
            "state": str(one.status.value).lower(),
            "message": one.message,
            "replicas": {str(state).lower(): n for state, n in one.replica_states.items() if n},
            "queued_s": sum(load.queued for load in loads),
            "refused": sum(load.refused for load in loads),
            "engines": sorted({name for load in loads for name in load.engines}),
        }
    running = str(found.status.value) == "RUNNING"
    return {"running": running, "message": failure(app) or "", "kinds": told}


def _loads(kind: str, app: str) -> list[Load]:
    try:
        told = serve.get_deployment_handle(kind, app).broadcast("load", Request("", "", (), ""))
        return [one for one in told.results(timeout_s=5.0) if isinstance(one, Load)]
    except Exception:  # whoever does not answer is not counted
        return []
