"""Marian's binary model files, format 1, with eight-bit matrices: what Firefox's models come as."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from stages.base import EngineError

FORMAT = 1
FLOAT32, CHARACTERS, INTGEMM8 = 0x404, 0x101, 0x4101
"""Types of parameters: a class in the high byte, bytes per number in the low one."""

_CONFIG = "special:model.yml"
_HEADER = struct.Struct("<4Q")  # length of the name, type, number of dimensions, bytes of data


_LIES = (OverflowError, RecursionError)
"""What numbers and settings that nobody has written in earnest lead to."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Real numbers in eight bits.

    Attributes:
        values: the numbers times ``multiplier``, rounded; shape as the model has it.
        multiplier: of all of them.
    """

    values: NDArray[np.int8]
    multiplier: float


@dataclass(frozen=True, slots=True)
class _Item:
    kind: int
    shape: tuple[int, ...]
    data: NDArray[np.uint8]


class MarianFile:
    """Parameters of a model by name, mapped into memory, and its configuration.

    Args:
        path: of the file.

    Raises:
        EngineError: if it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._items = dict(_items(np.memmap(path, np.uint8, "r")))
            config = yaml.safe_load(self._items[_CONFIG].data.tobytes().rstrip(b"\0"))
        except (OSError, ValueError, KeyError, struct.error, yaml.YAMLError, *_LIES) as error:
            raise EngineError(f"{path} is no model in Marian's binary format: {error}.") from error
        if not isinstance(config, dict):
            raise EngineError(f"{path} holds no model configuration.")
        self.config: dict[str, Any] = config

    def __contains__(self, name: str) -> bool:
        return name in self._items

    def vector(self, name: str) -> NDArray[np.float32]:
        """A bias or scale, flat."""
        item = self._item(name, FLOAT32)
        return np.frombuffer(item.data, np.float32, math.prod(item.shape))

    def matrix(self, name: str) -> Matrix:
        """A matrix; embeddings have a row for each token.

        All but embeddings are stored transposed; behind the numbers stands their multiplier.
        """
        item = self._item(name, INTGEMM8)
        count = math.prod(item.shape)
        values = np.frombuffer(item.data, np.int8, count)
        (multiplier,) = struct.unpack_from("<f", item.data.data, count)
        if name.endswith("Wemb"):
            return Matrix(values.reshape(item.shape), multiplier)
        return Matrix(values.reshape(item.shape[::-1]).T, multiplier)

    def _item(self, name: str, kind: int) -> _Item:
        item = self._items.get(name)
        if item is None or item.kind != kind:
            state = "lacks" if item is None else "has in another precision"
            raise EngineError(
                f"{self.path} {state} the parameter '{name}': it must be one of Firefox's "
                "translation models, with eight-bit matrices (intgemm8)."
            )
        size = {FLOAT32: 4}.get(kind, 1) * math.prod(item.shape) + (4 if kind == INTGEMM8 else 0)
        if min(item.shape, default=1) < 1 or len(item.data) < size:
            raise EngineError(f"{self.path} is cut off: its parameter '{name}' is not whole.")
        return item


def _items(file: NDArray[np.uint8]) -> Iterator[tuple[str, _Item]]:
    version, count = struct.unpack_from("<2Q", file.data)
    if version != FORMAT:
        raise ValueError(f"its format is {version}, not {FORMAT}")
    if count * _HEADER.size > len(file):
        raise ValueError("it is cut off")
    at = 16 + count * _HEADER.size
    headers = list(_HEADER.iter_unpack(file[16:at].tobytes()))
    names: list[str] = []
    for length, *_ in headers:
        names.append(file[at : at + length].tobytes().rstrip(b"\0").decode())
        at += length
    shapes: list[tuple[int, ...]] = []
    for _, _, dimensions, _ in headers:
        shapes.append(struct.unpack_from(f"<{dimensions}i", file.data, at))
        at += 4 * dimensions
    (padding,) = struct.unpack_from("<Q", file.data, at)
    at += 8 + padding
    for name, shape, (_, kind, _, size) in zip(names, shapes, headers, strict=True):
        if at + size > len(file):
            raise ValueError("it is cut off")
        yield name, _Item(kind, shape, file[at : at + size])
        at += size
