"""What validation found wrong, in words: all mistakes at once, each by the name of its thing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.plain_text import fields_of, inside

MOST = 8
"""Mistakes that are told; of more there is only the number."""

Detail = Mapping[str, Any]
"""A mistake as pydantic describes it."""


def mistakes(details: Iterable[Detail], kind: Any, values: Any, root: str = "") -> str:
    """One sentence of clauses that say what is wrong and what to do.

    Args:
        details: what pydantic found.
        kind: the model that was validated.
        values: what it was given.
        root: name of the values as a whole.
    """
    found: dict[tuple[Any, ...], list[Detail]] = {}
    for detail in details:
        found.setdefault(_place(detail, kind), []).append(detail)
    told = [
        _clause(place, alike, kind, values, root)
        for place, alike in found.items()
        # Of a list whose items are wrong pydantic says that it is too short.
        if not any(other[: len(place)] == place for other in found if other != place)
    ]
    if len(told) > MOST:
        told[MOST:] = [f"and {len(told) - MOST} more"]
    return "; ".join(told)


UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def _place(detail: Detail, kind: Any) -> tuple[Any, ...]:
    """A mistake's path without pydantic's names for the alternatives that it tried."""
    path = tuple(detail["loc"])
    if detail["type"] in (*UNKNOWN, "missing"):
        return path
    for count, step in enumerate(path):
        if (kind := inside(kind, step)) is None:
            return path[:count]
    return path


def _clause(
    place: tuple[Any, ...], alike: Sequence[Detail], kind: Any, values: Any, root: str
) -> str:
    name = _named(place, values, root)
    first = alike[0]
    match first["type"]:
        case unknown if unknown in UNKNOWN:
            known = list(fields_of(_inside(kind, place[:-1])))
            close = difflib.get_close_matches(str(place[-1]), known, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            return f"unknown key '{name}'; known are {', '.join(known)}{hint}"
        case "missing":
            return f"{name} is missing"
        case "model_type" | "dataclass_type" | "model_attributes_type" | "dict_type":
            return f"{name} must be a section with keys, not a {kind_of(first['input'])}"
        case "value_error" | "assertion_error":
            # A sentence already. That of a section names its keys itself.
            said: str = first["msg"].partition(", ")[2]
            return said if fields_of(_inside(kind, place)) else f"{name}: {said}"
    wanted = " or ".join(dict.fromkeys(_wanted(detail) for detail in alike))
    be = "" if wanted.startswith(("have ", "match ")) else "be "
    return f"{name} is {first['input']!r}, but should {be}{wanted}"


def _wanted(detail: Detail) -> str:
    said: str = re.sub(r"^\w+ should ", "", detail["msg"].replace("'", ""))
    said = said.removeprefix("be ").replace(", unable to parse string as a number", "")
    said = said.replace("greater than or equal to", "at least")
    return said.replace("less than or equal to", "at most")


def _inside(kind: Any, place: Iterable[Any]) -> Any:
    for step in place:
        kind = inside(kind, step)
    return kind


def _named(place: Iterable[Any], values: Any, name: str) -> str:
    """``sessions[ferry].key``: items of lists by their own name where they have one."""
    for step in place:
        values = _item(values, step)
        if isinstance(step, int):
            own = isinstance(values, dict) and (values.get("id") or values.get("name"))
            name += f"[{own or step}]"
        else:
            name += f".{step}" if name else str(step)
    return name or "it"


def _item(values: Any, step: Any) -> Any:
    try:
        return values[step]
    except (KeyError, IndexError, TypeError):
        return None


def kind_of(value: object) -> str:
    """What a value of YAML or JSON is, in words."""
    names = {str: "text", list: "list", int: "number", float: "number", bool: "yes or no"}
    return names.get(type(value), "nothing" if value is None else type(value).__name__)
