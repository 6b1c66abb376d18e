"""What YAML took for something else than the text that a setting wants.

To YAML 1.1 Norwegian (``no``) is false, a date is no name, and 10:30 is a number.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

_DECIMAL = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
"""Numbers that are numbers to everybody."""


def parse(text: str, kind: Any) -> Any:
    """Read YAML for a setting: what it wants as text stays as it is written.

    Args:
        text: YAML.
        kind: the setting's type; ``Any`` where it is not known.

    Raises:
        yaml.YAMLError: for malformed YAML.
    """
    written = yaml.load(text, yaml.BaseLoader)
    return _meant(yaml.safe_load(text), written, kind)


def _meant(value: Any, written: Any, kind: Any) -> Any:
    if isinstance(value, dict) and isinstance(written, dict):
        return _mapping(value, written, kind)
    if isinstance(value, list) and isinstance(written, list):
        inner = (*_arguments(kind, list), Any)[0]
        return [_meant(*pair, inner) for pair in zip(value, written, strict=True)]
    if isinstance(value, str) or value is None or not isinstance(written, str):
        return value
    return value if _wanted(value, written, kind) else written


def _mapping(values: dict[Any, Any], written: dict[Any, Any], kind: Any) -> dict[Any, Any]:
    fields = fields_of(kind)
    inner = (*_arguments(kind, dict), Any, Any)[1]
    return {
        key: _meant(value, text, fields.get(str(key), inner))
        for value, (key, text) in zip(values.values(), written.items(), strict=True)
    }


def fields_of(kind: Any) -> Mapping[str, Any]:
    """The settings of a section, or the sections of the whole, with their types."""
    if fields := getattr(kind, "model_fields", None):
        return {name: field.annotation for name, field in fields.items()}
    return get_type_hints(kind) if hasattr(kind, "__dataclass_fields__") else {}


def inside(kind: Any, step: str | int) -> Any:
    """The type of a setting of a section, or of an item of a list or mapping.

    ``None`` where the type holds nothing by that name.
    """
    for one in _alternatives(kind):
        if isinstance(step, str) and step in fields_of(one):
            return fields_of(one)[step]
        if isinstance(step, int) and get_origin(one) in (list, tuple):
            return get_args(one)[0]
        if get_origin(one) is dict:
            return get_args(one)[1]
    return None


def _arguments(kind: Any, container: type) -> tuple[Any, ...]:
    """What a list or a mapping holds, whichever of several types it is."""
    for one in _alternatives(kind):
        if get_origin(one) is container:
            return get_args(one)
    return ()


def _wanted(value: Any, written: str, kind: Any) -> bool:
    """Whether a setting takes what YAML made of plain text."""
    alternatives = _alternatives(kind)
    if Any in alternatives:
        if isinstance(value, bool):
            return written.lower() in ("true", "false")
        return isinstance(value, int | float) and bool(_DECIMAL.fullmatch(written))
    if isinstance(value, bool):
        return bool in alternatives
    numbers = {int, float} & set(alternatives)
    if isinstance(value, int | float) and numbers:
        return bool(_DECIMAL.fullmatch(written)) or not _takes_text(alternatives)
    return not _takes_text(alternatives)


def _takes_text(alternatives: tuple[Any, ...]) -> bool:
    return any(one in (str, Path) or get_origin(one) is Literal for one in alternatives)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    origin = get_origin(kind)
    if origin is Annotated:
        return _alternatives(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return tuple(inner for one in get_args(kind) for inner in _alternatives(one))
    return (kind,)
