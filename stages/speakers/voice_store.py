"""The voice store: named voices, each a folder of reference clips that were found fit."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from stages.base import EngineError, Synthesiser
from stages.speakers.reference import RATE, ClipQuality, read_fit, score
from stages.weights.cache import atomic_directory, cache_dir, data_dir
from stream.frames import Samples
from stream.media.address import address

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RESERVED = ("default", "auto", "match")


@dataclass(frozen=True, slots=True)
class StoredVoice:
    """A voice of the store; ``clips`` and ``quality`` in the same order.

    ``consent`` is the day on which it was recorded that its owner has agreed to be cloned.
    """

    name: str
    folder: Path
    clips: tuple[Path, ...]
    quality: tuple[ClipQuality, ...]
    consent: str | None = None


def voices_dir() -> Path:
    """``LIVEDUB_VOICES`` if set, else a folder of the platform's for data; it may not exist yet."""
    chosen = os.environ.get("LIVEDUB_VOICES")
    return Path(chosen).expanduser() if chosen else data_dir() / "voices"


def latents_dir() -> Path:
    """Where engines keep what they have computed from clips: a print of each voice."""
    return cache_dir() / "latents"


def add(name: str, paths: Sequence[Path], *, consent: bool = False) -> StoredVoice:
    """Store a voice; the clips are kept as 16-bit WAV at ``RATE``.

    Args:
        name: to call it.
        paths: of recordings.
        consent: whether its owner has agreed to be cloned.

    Raises:
        EngineError: if the name is taken or cannot be used, or a clip is unfit.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise EngineError(
            f"A voice cannot be called '{name}': use letters, digits, - and _, and none of "
            f"{', '.join(_RESERVED)}."
        )
    folder = voices_dir() / name
    if folder.exists():
        raise EngineError(f"There is a voice '{name}' already: remove it first.")
    clips = read_fit(paths)
    with atomic_directory(folder) as made:
        for index, clip in enumerate(clips, 1):
            write_clip(made / f"{index}.wav", clip)
        record = [asdict(score(clip)) for clip in clips]
        day = datetime.now(UTC).date().isoformat() if consent else None
        told = json.dumps({"consent": day, "clips": record}, indent=1)
        (made / "voice.json").write_text(f"{told}\n", encoding="utf-8")
    return load(name)


def load(name: str) -> StoredVoice:
    """A voice of the store.

    Raises:
        EngineError: if there is none of that name, or its folder is damaged.
    """
    if not is_stored(name):
        known = ", ".join(voice.name for voice in stored())
        others = f"only: {known}" if known else "where there are none yet: livedub voices add NAME"
        raise EngineError(f"There is no voice '{name}' in {voices_dir()}, {others}.")
    folder = voices_dir() / name
    try:
        record = json.loads((folder / "voice.json").read_text(encoding="utf-8"))
        quality = tuple(ClipQuality(**clip) for clip in record["clips"])
        consent = record.get("consent")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError(
            f"The voice '{name}' in {folder} is damaged: remove it and add it again."
        ) from error
    clips = tuple(folder / f"{index}.wav" for index in range(1, len(quality) + 1))
    return StoredVoice(name, folder, clips, quality, consent)


def stored() -> list[StoredVoice]:
    """All voices of the store, by name."""
    folder = voices_dir()
    names = sorted(p.parent.name for p in folder.glob("*/voice.json")) if folder.is_dir() else []
    return [load(name) for name in names if is_stored(name)]


def is_stored(name: str) -> bool:
    """Whether the store has a voice of that name."""
    return _NAME.fullmatch(name) is not None and (voices_dir() / name / "voice.json").is_file()


def remove(name: str) -> None:
    """Delete a voice, its clips and what engines have made of them.

    That is kept by the contents of clips, so that all of it goes: it is soon made again.

    Raises:
        EngineError: if there is none.
    """
    if not is_stored(name):
        load(name)
    shutil.rmtree(voices_dir() / name)
    for latents in latents_dir().glob("*.npz"):
        latents.unlink(missing_ok=True)


def usable(name: str, synthesiser: Synthesiser) -> str:
    """What ``Manner.voice`` must be for ``synthesiser`` to speak in the voice ``name``.

    Args:
        name: one of the engine's own, of the store, or the path of a clip; ``default`` for the
            one that the engine was made with.
        synthesiser: the engine.

    Raises:
        EngineError: if it has no such voice and cannot clone it.
    """
    if name == "default":
        return ""
    if synthesiser.clones:
        if is_stored(name):
            return str(load(name).folder)
        path = Path(name).expanduser()
        if path.is_file():
            read_fit([path])
            return str(path)
    elif is_stored(name):
        raise EngineError(
            f"The voice '{name}' is a recording to clone, which the configured tts.engine cannot "
            "do: choose one that clones, such as xtts."
        )
    synthesiser.check_voice(name)
    return name


def write_clip(path: Path, clip: Samples, rate: int = RATE) -> None:
    """Write mono sound, shape ``(n,)``, as 16-bit WAV."""
    pcm = np.clip(np.round(clip * 32767), -32768, 32767).astype(np.int16)
    with av.open(address(path), "w", format="wav") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm[None], "s16", "mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
