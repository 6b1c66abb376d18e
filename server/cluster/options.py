"""Settings of models on a Ray cluster, as ``config.yaml`` has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import annotated_types as at
from pydantic import BaseModel, model_validator

from stages.options import STRICT

Kind = Literal["asr", "mt", "tts", "speakers"]

KINDS: tuple[Kind, ...] = ("asr", "mt", "tts", "speakers")
"""What can be on the cluster."""


class DeploymentConfig(BaseModel):
    """The replicas of one kind of model; names and meanings are Ray Serve's."""

    model_config = STRICT
    replicas: Annotated[int, at.Ge(1), at.Le(10_000)] = 1
    num_cpus: Annotated[float, at.Ge(0), at.Le(256)] = 1.0
    num_gpus: Annotated[float, at.Ge(0), at.Le(64)] = 0.0
    autoscaling_config: dict[str, Any] | None = None
    max_ongoing_requests: Annotated[int, at.Ge(1), at.Le(10_000)] = 32
    max_queued_requests: Annotated[int, at.Ge(-1), at.Le(100_000)] = 64


class ClusterConfig(BaseModel):
    """Which models are on a cluster, and where it is."""

    model_config = STRICT
    address: Annotated[str, at.MinLen(1)] | None = None
    app: Annotated[str, at.MinLen(1), at.MaxLen(64)] = "livedub"
    asr: DeploymentConfig | None = DeploymentConfig()
    mt: DeploymentConfig | None = DeploymentConfig()
    tts: DeploymentConfig | None = DeploymentConfig()
    speakers: DeploymentConfig | None = None
    fallback: dict[Kind, Annotated[str, at.MinLen(1)]] = {}

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of models that are there; none without an address."""
        if self.address is None:
            return ()
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)

    def deployment(self, kind: Kind) -> DeploymentConfig:
        """The replicas of a kind that is there."""
        found: DeploymentConfig = getattr(self, kind)
        return found

    @model_validator(mode="after")
    def _something_is_there(self) -> Self:
        if self.address is not None and not self.kinds:
            raise ValueError(
                "cluster.address is set, but each of asr, mt, tts and speakers is null"
            )
        return self
