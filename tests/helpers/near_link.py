"""A link to replicas in this process: everything of a cluster but Ray and its network."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

from server.cluster.link import Link
from server.cluster.models import ClusterModels
from server.cluster.records import Answer, Failure, Load, Request
from server.cluster.replica import Replica
from server.config import Config, load

ENGINES = "tests.helpers.remote_engines"
SETTINGS = (
    "cluster.address=nowhere:1",
    f"asr.engine={ENGINES}:Recogniser",
    f"mt.engine={ENGINES}:Translator",
    f"tts.engine={ENGINES}:Synthesiser",
)


def cluster_config(*settings: str) -> Config:
    return load(assignments=[*SETTINGS, *settings], environment={}, cluster=True)


class NearLink:
    """See ``server.cluster.link.Link``; ``down`` says why nobody can be asked."""

    def __init__(self) -> None:
        self.replicas: dict[str, Replica] = {}
        self.down: Failure | None = None
        self.asked: list[Request] = []

    def start(self) -> None: ...

    async def aclose(self) -> None: ...

    async def settle(self, kind: str, patience: float) -> None: ...

    def failure(self, kind: str) -> Failure | None:
        return self.down

    def loads(self, kind: str) -> tuple[Load, ...]:
        return () if self.down else (Load(kind, 1.5, 2, ("tiny",)),)

    async def ask(self, kind: str, method: str, request: Request) -> AsyncGenerator[Answer, None]:
        if self.down is not None:
            yield Answer(self.down)
            return
        self.asked.append(request)
        if kind not in self.replicas:
            replica = self.replicas[kind] = cast(Any, Replica).__new__(Replica)
            await cast(Any, replica.__init__)(kind, (), kind)
        if method != "speak":
            yield await getattr(self.replicas[kind], method)(request)
            return
        async for answer in self.replicas[kind].speak(request):
            yield answer


def near_models(config: Config) -> tuple[ClusterModels, NearLink]:
    """The models of a cluster that is in this process."""
    models, link = ClusterModels(config), NearLink()
    models._link = cast(Link, link)
    return models, link
