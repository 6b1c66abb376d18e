"""Settings of the model stages, as ``config.yaml`` has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import annotated_types as at
from pydantic import BaseModel, ConfigDict, model_validator

from stream.speech.diarize import SpeakerOptions

STRICT: ConfigDict = {"extra": "forbid", "frozen": True}

Deadline = Annotated[float, at.Gt(0), at.Le(600)]
Threads = Annotated[int, at.Ge(1), at.Le(256)]
Beam = Annotated[int, at.Ge(1), at.Le(20)]

MATCH = "match"
"""Instead of a voice: for each speaker the engine's own that suits them best."""


class SoundConfig(BaseModel):
    """The source's sound before anything listens to it."""

    model_config = STRICT
    enhance: str = "auto"

    @property
    def engine(self) -> str:
        """As other sections name it."""
        return self.enhance

    @property
    def model(self) -> str:
        """Likewise: the engine's own."""
        return "default"


class AsrConfig(BaseModel):
    """Recognition."""

    model_config = STRICT
    engine: str = "faster-whisper"
    model: str = "auto"
    second_model: str = "none"
    compute_type: str = "int8"
    beam_size: Beam = 1
    threads: Threads = 1
    deadline: Deadline = 30.0
    denoise: Literal["none", "afftdn", "arnndn"] = "none"
    denoise_model: Path | None = None
    mode: Literal["utterance", "incremental"] = "incremental"
    step: Annotated[float, at.Ge(0.1), at.Le(5)] = 0.5
    agreement: Annotated[int, at.Ge(1), at.Le(4)] = 1

    @model_validator(mode="after")
    def _denoiser_has_its_model(self) -> Self:
        if self.denoise == "arnndn" and self.denoise_model is None:
            raise ValueError(
                "asr.denoise is arnndn, which needs asr.denoise_model, the path of an .rnnn file"
            )
        return self


@dataclass(frozen=True, slots=True)
class SpeakersConfig(SpeakerOptions):
    """Telling speakers apart."""

    __pydantic_config__ = {"extra": "forbid"}

    engine: str = "auto"
    model: str = "default"
    deadline: Deadline = 2.0

    @property
    def enabled(self) -> bool:
        """Whether speakers are told apart whatever voices there are."""
        return self.engine not in ("none", "auto")


class MtConfig(BaseModel):
    """Translation."""

    model_config = STRICT
    engine: str = "auto"
    model: str = "default"
    beam_size: Beam = 2
    alternatives: Beam = 4
    length_weight: Annotated[float, at.Ge(0), at.Le(100)] = 1.0
    context: bool = True
    threads: Threads = 2
    deadline: Deadline = 20.0
    glossary: dict[Annotated[str, at.MinLen(1)], str] = {}


class TtsConfig(BaseModel):
    """Synthesis."""

    model_config = STRICT
    engine: str = "auto"
    voice: str = MATCH
    voices: dict[str, str] = {}
    consent: bool = False
    model: str = "default"
    listener: str | None = None
    threads: Threads = 2
    deadline: Deadline = 60.0
