"""How XTTS speaks; what the configuration's ``xtts`` section holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import annotated_types as at

Precision = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class XttsOptions:
    """Sampling, takes and precision.

    Attributes:
        temperature: of sampling; lower is steadier and flatter.
        top_k: most likely codes that are sampled from.
        top_p: share of probability that is sampled from.
        repetition_penalty: above 1 makes a code that was used less likely.
        length_penalty: with several takes and no slot to fill, above 0 favours long ones.
        seed: the same seed and text give the same sound.
        candidates: takes of each sentence to choose from, where there is time; 1 streams.
        chunk: codes (46 ms each) that are made before the next piece of sound.
        compute_type: precision of the language model; below float32 needs a GPU.
    """

    __pydantic_config__ = {"extra": "forbid"}

    temperature: Annotated[float, at.Ge(0.05), at.Le(2)] = 0.75
    top_k: Annotated[int, at.Ge(1), at.Le(1000)] = 50
    top_p: Annotated[float, at.Gt(0), at.Le(1)] = 0.85
    repetition_penalty: Annotated[float, at.Ge(1), at.Le(50)] = 10.0
    length_penalty: Annotated[float, at.Ge(-10), at.Le(10)] = 1.0
    seed: Annotated[int, at.Ge(0), at.Lt(2**31)] = 0
    candidates: Annotated[int, at.Ge(1), at.Le(8)] = 1
    chunk: Annotated[int, at.Ge(8), at.Le(200)] = 20
    compute_type: Precision = "float32"
