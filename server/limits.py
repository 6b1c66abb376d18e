"""How much one client may take, by the address that it comes from."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable

from server.problems import Problem

KNOWN = 4096
"""Addresses that are remembered; the one that was heard of longest ago is forgotten."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Clients:
    """Tells clients apart, as far as a stranger cannot choose what is told.

    Args:
        proxies: the operator's own. One that does not say for whom it asks stands for many
            clients, and is not limited.
    """

    def __init__(self, proxies: Collection[Network] = ()) -> None:
        self._proxies = proxies

    def tell(self, host: str | None) -> str | None:
        """What a client is counted by: its address, of IPv6 the /64; ``None`` for a proxy."""
        try:
            address = ipaddress.ip_address((host or "").partition("%")[0])
        except ValueError:
            return None  # not of the network
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        if any(address in one for one in self._proxies):
            return None
        if address.version == 4:
            return str(address)
        return str(ipaddress.ip_network((address, 64), strict=False))


class Places:
    """So many at once, of which one client has a share.

    Args:
        most: at once.
        share: at once for one client.
        clients: tells them apart.
        called: what those are who take them, in the plural.
    """

    def __init__(
        self,
        most: int,
        share: int | None = None,
        clients: Clients | None = None,
        called: str = "clients",
    ) -> None:
        self.most = most
        self.taken = 0
        self._share = most if share is None else share
        self._clients = clients or Clients()
        self._called = called
        self._of: Counter[str] = Counter()

    def take(self, host: str | None) -> Callable[[], None]:
        """Take one; returns what gives it back, which may be called again.

        Raises:
            Problem: 503 if there is none left, or none for this client.
        """
        if self.taken >= self.most:
            raise Problem(503, f"there are {self.most} {self._called} already; try again later")
        client = self._clients.tell(host)
        if client is not None and self._of[client] >= self._share:
            detail = f"there are {self._share} {self._called} from your address already"
            raise Problem(503, f"{detail}; close one first")
        self.taken += 1
        if client is not None:
            self._of[client] += 1
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self.taken -= 1
                if client is not None:
                    self._of[client] -= 1
                    self._of += Counter()  # only those that have any

        return give_back


class Pace:
    """So often for each client: a bucket that fills steadily and can be emptied at once.

    Args:
        burst: how many may come at once.
        per_second: how many may come in the long run.
        clients: tells them apart.
    """

    def __init__(self, burst: int, per_second: float, clients: Clients | None = None) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clients = clients or Clients()
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, host: str | None, now: float) -> float:
        """Take one; returns 0, or in how many seconds there will be one to take."""
        client = self._clients.tell(host)
        if client is None:
            return 0.0
        full_at = max(now, self._full_at.pop(client, -math.inf)) + 1 / self._per_second
        over = full_at - now - self._burst / self._per_second
        self._full_at[client] = full_at if over <= 1e-9 else full_at - 1 / self._per_second
        if len(self._full_at) > KNOWN:
            self._full_at.popitem(last=False)
        return max(0.0, over) if over > 1e-9 else 0.0
