"""Settings of the daemon and of finished files, as ``config.yaml`` has them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Self

import annotated_types as at
from pydantic import BaseModel, IPvAnyAddress, IPvAnyNetwork, field_validator, model_validator

from server.addresses.reach import Public
from server.tokens import Grant
from stages.options import STRICT
from stream.media.live_input import Reader

SHORTEST_TOKEN = 16
"""Characters; an empty or short one protects nothing that it seems to."""

Delay = Annotated[float, at.Ge(1), at.Le(60)]


class OutputConfig(BaseModel):
    """What comes out, be it a file or a stream."""

    model_config = STRICT
    bitrate: Annotated[int, at.Ge(16_000), at.Le(512_000)] = 96_000
    replace: bool = False
    disclose: bool = True
    tone: bool = False


class ServeConfig(BaseModel):
    """The daemon."""

    model_config = STRICT
    host: str = "127.0.0.1"
    port: Annotated[int, at.Ge(0), at.Le(65535)] = 8080
    rtmp_port: Annotated[int, at.Ge(0), at.Le(65535)] | None = 1935
    srt_port: Annotated[int, at.Ge(0), at.Le(65535)] | None = None
    token: Annotated[str, at.MinLen(SHORTEST_TOKEN)] | None = None
    tokens: list[Grant] = []
    tokens_file: Path | None = None
    open: bool = False
    names: list[str] = []
    origins: list[str] = []
    hosts: list[str] = []
    files: Path | None = None
    recordings: Path = Path("recordings")
    keep_days: Annotated[float, at.Gt(0)] | None = None
    keep_bytes: Annotated[int, at.Ge(1_000_000)] | None = None
    max_sessions: Annotated[int, at.Ge(1), at.Le(1000)] = 4
    max_engines: Annotated[int, at.Ge(4), at.Le(10_000)] = 32
    models: list[str] = []
    voices: list[str] = []
    max_viewers: Annotated[int, at.Ge(1), at.Le(100_000)] = 200
    viewers_per_address: Annotated[int, at.Ge(1), at.Le(100_000)] = 64
    max_connections: Annotated[int, at.Ge(10), at.Le(60_000)] = 2000
    connections_per_address: Annotated[int, at.Ge(1), at.Le(60_000)] = 256
    proxies: list[IPvAnyNetwork] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    min_delay: Delay = 3.0
    max_delay: Delay = 15.0
    reader: Reader = "process"
    drain: Annotated[float, at.Ge(0), at.Le(600)] = 30.0
    ice_servers: list[str] = []
    udp_ports: str | None = None
    addresses: list[IPvAnyAddress] = []
    sessions: list[dict[str, Any]] = []

    @property
    def guarded(self) -> bool:
        """Whether it takes a token to create sessions."""
        return self.token is not None or any("control" in one.rights for one in self.tokens)

    @field_validator("hosts")
    @classmethod
    def _hosts_are_addresses(cls, hosts: list[str]) -> list[str]:
        Public.declared(hosts)
        return hosts

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_delay > self.max_delay:
            raise ValueError(
                f"serve.min_delay is {self.min_delay}, but must not exceed serve.max_delay "
                f"({self.max_delay})"
            )
        return self
