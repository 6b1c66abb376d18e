"""What the configuration's ``srt`` section holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at
from pydantic import AfterValidator

from server.addresses.srt_address import LATENCY_MS, LONGEST_LATENCY_MS, check_passphrase
from stream.errors import UserError


def _passphrase(value: str | None) -> str | None:
    try:
        check_passphrase(value or "")
    except UserError as error:
        raise ValueError(str(error)) from None
    return value or None


@dataclass(frozen=True, slots=True)
class SrtOptions:
    """How publishers are received.

    Attributes:
        latency: ms for which packets may be late, unless the publisher asks for more.
        passphrase: that all publishers must have, if any.
        idle: seconds without media after which a publisher is disconnected.
        connections: at a time.
    """

    __pydantic_config__ = {"extra": "forbid"}

    latency: Annotated[int, at.Ge(20), at.Le(LONGEST_LATENCY_MS)] = LATENCY_MS
    passphrase: Annotated[str | None, AfterValidator(_passphrase)] = None
    idle: Annotated[float, at.Gt(0), at.Le(600)] = 15.0
    connections: Annotated[int, at.Ge(1), at.Le(200)] = 32
