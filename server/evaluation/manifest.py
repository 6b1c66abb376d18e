"""The clips of a test set and what is known to be said in them."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from server.mistakes import mistakes
from stages.languages.options import Language
from stream.errors import UserError
from stream.languages import base


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Segment(_Checked):
    """One sentence of a clip; ``text`` and ``translation`` are references."""

    start: float | None = Field(default=None, ge=0, description="Its first sound, s")
    end: float | None = Field(default=None, ge=0, description="The end of its last, s")
    text: str = ""
    translation: str = ""
    speaker: str = ""


class Clip(_Checked):
    """One media file."""

    name: str = Field(pattern=r"^[\w.-]+$")
    media: Path
    segments: tuple[Segment, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether it is known when each segment is spoken."""
        return bool(self.segments) and all(s.end is not None for s in self.segments)

    @model_validator(mode="after")
    def _in_order(self) -> Clip:
        times = [(s.start, s.end) for s in self.segments]
        if any((start is None) != (end is None) for start, end in times):
            raise ValueError(f"a segment of {self.name} has only one of start and end")
        known = [(start, end) for start, end in times if start is not None and end is not None]
        if known and len(known) < len(times):
            raise ValueError(f"some segments of {self.name} have times and some have none")
        if any(start >= end for start, end in known) or known != sorted(known):
            raise ValueError(f"the segments of {self.name} are not in the order of time")
        return self


class Manifest(_Checked):
    """A test set."""

    source: Language = "en"
    target: Language = "pt"
    clips: tuple[Clip, ...] = Field(min_length=1)


def read_manifest(path: Path, only: list[str] | None = None) -> Manifest:
    """Read a manifest, YAML or JSON; media are relative to it.

    Args:
        path: of the manifest.
        only: names of the clips to keep; all if ``None``.

    Raises:
        UserError: in one sentence.
    """
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
        manifest = Manifest.model_validate(values)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError:
        raise UserError(f"{path} is neither YAML nor JSON") from None
    except ValidationError as error:
        said = mistakes(error.errors(include_url=False), Manifest, values)
        raise UserError(f"{path}: {said}") from None
    clips = {clip.name: clip for clip in manifest.clips}
    if len(clips) < len(manifest.clips):
        raise UserError(f"{path}: two clips have the same name")
    if unknown := [name for name in only or () if name not in clips]:
        raise UserError(f"{path} has no clip '{unknown[0]}', only {', '.join(clips)}")
    kept = [clips[name] for name in only or clips]
    placed = [c.model_copy(update={"media": path.parent / c.media}) for c in kept]
    for clip in placed:
        if not clip.media.is_file():
            raise UserError(f"{path}: {clip.media} does not exist")
    return manifest.model_copy(update={"clips": tuple(placed)})


def for_target(manifest: Manifest, target: str) -> Manifest:
    """The set for dubs into a language that may not be its own.

    A dub in the source's language is to say what was said; for any other there is no reference.
    """
    own, same = (base(target) == base(other) for other in (manifest.target, manifest.source))

    def reference(segment: Segment) -> Segment:
        text = (segment.translation if own else "") or (segment.text if same else "")
        return segment.model_copy(update={"translation": text})

    clips = tuple(
        clip.model_copy(update={"segments": tuple(map(reference, clip.segments))})
        for clip in manifest.clips
    )
    return manifest.model_copy(update={"target": target, "clips": clips})
