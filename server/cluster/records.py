"""What travels between a daemon and the replicas of its models: small records, sound as arrays.

Clocks of machines differ, so that a deadline travels as the seconds that are left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Clips:
    """Recordings of a voice to clone.

    Attributes:
        digest: of what is in them, by which a replica knows them again.
        files: name to contents; or a reference to that in Ray's object store, from which it is
            fetched by replicas that do not have it yet.
    """

    digest: str
    files: Any


@dataclass(frozen=True, slots=True)
class Request:
    """One call of an engine.

    Attributes:
        recipe: settings that the engine is made from; see ``recipe_of``.
        method: of the engine's contract.
        arguments, named: for the method.
        owner: the session that asks.
        left: seconds until the viewer sees what is worked on; infinite where nobody waits.
        worth: seconds for which the result is of use.
        units: seconds of sound, or characters, that the call is about.
        clips: of the voice that the engine itself is made for, if it clones.
        voice: of the voice that this call is to be spoken in, if that is a recording.
        seconds: that the call is expected to take.
        number: of the call, by which whoever sends it finds out where it went.
        avoid: id of a replica that has just failed.
        only: id of the replica that it is for.
    """

    recipe: str
    method: str
    arguments: tuple[Any, ...]
    owner: str
    named: dict[str, Any] = field(default_factory=dict)
    left: float = math.inf
    worth: float = math.inf
    units: float = 1.0
    clips: Clips | None = None
    voice: Clips | None = None
    seconds: float = 0.0
    number: int = 0
    avoid: str = ""
    only: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result.

    Attributes:
        reason: as part of a sentence.
        late: whether it could not have been in time.
        lost: whether nobody could be asked, or who was asked is gone.
    """

    reason: str
    late: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a replica made of a request, or a piece of it.

    Attributes:
        value: of the method; a ``Failure`` if it has none.
        replica: id of who answers.
        queued: seconds of work that it still has.
        rate: Hz of a piece of speech.
    """

    value: Any
    replica: str = ""
    queued: float = 0.0
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Described:
    """What a daemon must know of an engine before it calls it; see ``stages.base``.

    Attributes:
        engine: its name in the registry.
        pace: seconds that a synthesiser takes for a second of speech.
        known: languages that a recogniser tells apart.
        cost: of a translator of speech; ``None`` for other engines.
        sample_rate, rate_range, characters_per_second, clones, registers: of a synthesiser.
        refused: voices of the configuration that it does not have, and why.
    """

    engine: str
    pace: float = 0.0
    known: tuple[str, ...] = ()
    cost: float | None = None
    sample_rate: int = 24_000
    rate_range: tuple[float, float] = (0.8, 1.3)
    characters_per_second: float = 15.0
    clones: bool = False
    registers: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What a replica has to do.

    Attributes:
        replica: its id.
        queued: seconds of work.
        refused: calls so far that could not be in time.
        engines: that it has loaded, by name.
    """

    replica: str
    queued: float
    refused: int
    engines: tuple[str, ...]
