"""Which replica a call goes to: the one with the least work, counted in seconds, that is alive.

Ray Serve copies this module to wherever calls come from; what is shared there is in another one.
"""

from __future__ import annotations

import random
from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from server.cluster.records import Request
from server.cluster.replicas import Replicas, replicas_of


class QueuedSeconds(RequestRouter):
    """A router of Ray Serve's; see its documentation for what calls it."""

    _table: Replicas

    def initialize_state(self, **kwargs: Any) -> None:
        """Say to which ``kind`` of models it leads."""
        self._table = replicas_of(kwargs["kind"])

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Others are there now."""
        super().update_replicas(replicas)
        self._table.there_are(one.replica_id.unique_id for one in replicas)

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        """One is gone."""
        super().on_replica_actor_died(replica_id)
        gone = replica_id.unique_id
        self._table.there_are(one for one in self._table.ids if one != gone)

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """One after another, the best first."""
        if pending_request is not None:
            pending_request.routing_context.should_backoff = True
        request = _request(pending_request)
        if request is not None and request.only:
            only = request.only
            return [[one for one in candidate_replicas if one.replica_id.unique_id == only]]
        avoid = request.avoid if request is not None else ""
        shuffled = random.sample(candidate_replicas, len(candidate_replicas))
        shuffled.sort(key=lambda one: self._table.rank(one.replica_id.unique_id, avoid))
        return [[one] for one in shuffled]

    def on_request_routed(
        self, pending_request: PendingRequest, replica_id: ReplicaID, result: Any
    ) -> None:
        """Count what was sent."""
        request = _request(pending_request)
        if request is not None and not request.only:
            call = pending_request.metadata.internal_request_id
            self._table.sent(replica_id.unique_id, call, request.number, request.seconds)

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """It is done, well or not."""
        self._table.done(replica_id.unique_id, internal_request_id)


def _request(pending: PendingRequest | None) -> Request | None:
    found = pending.args[0] if pending is not None and pending.args else None
    return found if isinstance(found, Request) else None
