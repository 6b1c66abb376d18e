"""The models of a cluster, as the pool of engines asks for them."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

from server.cluster.clips import Recordings
from server.cluster.link import Link
from server.cluster.options import KINDS
from server.cluster.recipe import recipe_of
from server.cluster.records import Clips, Described, Failure, Request
from server.cluster.remote import RemoteEngine
from server.config import AUTO, Config
from server.engines.shared import Served
from stages.base import EngineError, MultilingualRecogniser, SpeechTranslator
from stages.options import MATCH
from stages.registry import find
from stream.errors import UserError

NO_RAY = "cluster.address is set, which needs Ray: pip install 'livedub[cluster]'"

SETTLING_S = 30.0
"""Seconds for which the first session waits for a cluster that is being joined."""

LOADING_S = 120.0
"""Seconds for which a session waits for a model to be loaded there; calls wait for what is left."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a kind of model on the cluster does.

    Attributes:
        kind: of model.
        replicas: that answer.
        queued: seconds of work that they have, all together.
        refused: calls that could not be in time, of the replicas that there are.
        failure: why there is none; ``None`` where there is one.
    """

    kind: str
    replicas: int
    queued: float
    refused: int
    failure: str | None


class ClusterModels:
    """What `server.engines.elsewhere.Elsewhere` asks for, by a link that is kept up.

    Args:
        config: with a cluster's address.

    Raises:
        UserError: if Ray is not installed.
    """

    def __init__(self, config: Config) -> None:
        if importlib.util.find_spec("ray") is None:
            raise UserError(NO_RAY)
        self._config = config.cluster
        self._link = Link(config.cluster)
        self._recordings = Recordings()

    def start(self) -> None:
        """Begin to connect; nothing waits for it."""
        self._link.start()

    async def aclose(self) -> None:
        """Leave the cluster."""
        await self._link.aclose()

    @property
    def kinds(self) -> Collection[str]:
        """Kinds of engines that are there."""
        return self._config.kinds

    @property
    def standing(self) -> list[Standing]:
        """How each kind does."""
        return [self._standing(kind) for kind in KINDS if kind in self.kinds]

    def _standing(self, kind: str) -> Standing:
        loads, failure = self._link.loads(kind), self._link.failure(kind)
        return Standing(
            kind,
            len(loads),
            sum(one.queued for one in loads),
            sum(one.refused for one in loads),
            None if failure is None else failure.reason,
        )

    async def key(self, kind: str, config: Config) -> str:
        """What is equal for equal engines."""
        clips = await self._clips(kind, config)
        return f"{recipe_of(kind, config)} {clips.digest if clips else ''}"

    def instead(self, kind: str, config: Config) -> Config | None:
        """The configuration of what is loaded here for when there is none."""
        name = self._config.fallback.get(kind)  # type: ignore[call-overload]
        if name is None:
            return None
        model = AUTO if kind == "asr" else "default"
        changes = {"engine": name, "model": model}
        if kind == "tts":
            changes["voice"] = "default"
        section = getattr(config, kind)
        if kind == "speakers":
            section = replace(section, **changes)
        else:
            section = section.model_copy(update=changes)
        return config.here.model_copy(update={kind: section})

    async def find(self, kind: str, config: Config, instead: Served | None) -> Served:
        """The engine that stands for one that is there; see ``Elsewhere``.

        Raises:
            EngineError: if a replica says that it cannot be made.
        """
        recipe, clips = recipe_of(kind, config), await self._clips(kind, config)
        await self._link.settle(kind, SETTLING_S)
        described = await self._described(kind, Request(recipe, "", (), "", clips=clips))
        if described is None:
            described = _assumed(kind, config, instead)
            log.warning(
                "%s is not on the cluster: %s", kind, f"{instead.name} serves" if instead else "-"
            )
        late = config.playout.max_late
        return RemoteEngine(
            kind, recipe, clips, described, late, self._link, self._recordings, instead
        )

    async def _described(self, kind: str, request: Request) -> Described | None:
        """What a replica says of an engine; ``None`` if none can be asked."""
        value: object = None
        try:
            async with asyncio.timeout(LOADING_S):
                async for answer in self._link.ask(kind, "describe", request):
                    value = answer.value
        except TimeoutError:
            return None
        if isinstance(value, Failure):
            if value.lost or value.late:
                return None
            raise EngineError(f"{value.reason} (said by a node of the cluster)")
        assert isinstance(value, Described)
        return value

    async def _clips(self, kind: str, config: Config) -> Clips | None:
        """The recordings of the voice that a synthesiser is made for, if it clones."""
        tts = config.tts
        if kind != "tts" or tts.engine == AUTO or not find("tts", tts.engine).clones:
            return None
        if tts.voice in ("default", AUTO, MATCH):
            return None
        return await asyncio.to_thread(self._recordings.of, tts.voice)


def _assumed(kind: str, config: Config, instead: Served | None) -> Described:
    """What an engine is taken to be that nobody can be asked about: like what serves instead."""
    told = Described(getattr(config, kind).engine)
    if kind == "mt" and config.mt.engine == "whisper":
        told = replace(told, cost=0.5)
    if instead is None:
        return told
    engine = instead.engine
    if isinstance(engine, MultilingualRecogniser):
        told = replace(told, known=tuple(engine.known))
    if isinstance(engine, SpeechTranslator):
        told = replace(told, cost=engine.cost)
    if kind == "tts":
        told = replace(
            told,
            pace=instead.pace,
            sample_rate=engine.sample_rate,
            rate_range=engine.rate_range,
            characters_per_second=engine.characters_per_second,
        )
    return told
