"""Who XTTS speaks as: conditioning from reference clips, built-in speakers, and blends of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from stages.base import EngineError
from stages.speakers import voice_store
from stages.speakers.blend import parse_voice
from stages.speakers.reference import RATE, best, read_clip
from stages.speakers.voice_collection import is_collected
from stages.tts.joining import trimmed
from stages.tts.xtts.checkpoint import Checkpoint
from stages.weights.cache import atomic_file, locked
from stages.weights.checksums import sha256
from stream.frames import Samples
from stream.sound.loudness import integrated_loudness

_FORMAT = 1
"""Part of the cache's key; raise it when the same clips are to give other latents."""
_STRETCH_S = 10
"""Seconds of a long recording that are judged, and taken or left, together."""
_LOUDNESS_LUFS = -20.0
"""LUFS that clips are brought to, as far as their peaks allow."""
_PEAK = 0.95
_KEPT_VOICES = 64
"""Voices in memory, 130 KB each."""
_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".webm", ".mkv"})


@dataclass(frozen=True, slots=True)
class Latents:
    """A voice as the model is conditioned on it, float32.

    Attributes:
        conditioning: for the language model, shape ``(1, 32, width)``.
        speaker: for the vocoder, shape ``(1, 512, 1)``.
    """

    conditioning: Any
    speaker: Any


def clip_paths(name: str) -> list[Path]:
    """Recordings that a voice's name stands for: files, comma-separated, or folders of them.

    Raises:
        EngineError: if one does not exist.
    """
    paths: list[Path] = []
    for entry in filter(None, (part.strip() for part in name.split(","))):
        path = Path(entry).expanduser()
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
            if not inside:
                raise EngineError(f"The folder {path} in tts.voice holds no recordings.")
            paths += inside
        elif path.exists():
            paths.append(path)
        else:
            raise EngineError(f"There is no reference clip {path}.")
    return paths


class Voices:
    """Latents of voices, computed once and kept on disk; those of a collection only in memory.

    Args:
        checkpoint: loaded.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._known: dict[str, Latents] = {}

    def get(self, expression: str) -> Latents:
        """The latents of a voice or a blend; see ``parse_voice``.

        Raises:
            EngineError: if a voice is unknown or its clips are unfit.
        """
        parts = [(self._one(name), share) for name, share in parse_voice(expression)]
        if len(parts) == 1:
            return parts[0][0]
        return Latents(
            sum(latents.conditioning * share for latents, share in parts),
            sum(latents.speaker * share for latents, share in parts),
        )

    def _one(self, name: str) -> Latents:
        speakers = self._checkpoint.speakers
        if name == "default":
            if not speakers:
                raise EngineError(
                    "This XTTS model has no speakers of its own: set tts.voice to a recording of "
                    "the voice."
                )
            name = next(iter(speakers))
        if name in speakers:
            found = speakers[name]
            return self._on_device(found["gpt_cond_latent"], found["speaker_embedding"])
        if voice_store.is_stored(name):
            return self._from_clips(voice_store.load(name).clips)
        if not any(mark in name for mark in "/\\,.") and not Path(name).exists():
            known = ", ".join(list(speakers)[:12]) or "none built in"
            raise EngineError(
                f"There is no voice '{name}': give the path of a recording, a stored voice, "
                f"or one of the model's speakers ({known})."
            )
        return self._from_clips(clip_paths(name))

    def _from_clips(self, paths: Sequence[Path]) -> Latents:
        key = self._key(paths)  # of what is in them: a clip may change under its name
        if key not in self._known:
            if len(self._known) >= _KEPT_VOICES:
                del self._known[next(iter(self._known))]
            if any(map(is_collected, paths)):
                self._known[key] = self._conditioned(paths)
            else:
                self._known[key] = self._kept(voice_store.latents_dir() / f"xtts-{key}.npz", paths)
        return self._known[key]

    def _kept(self, place: Path, paths: Sequence[Path]) -> Latents:
        if (cached := self._read(place)) is not None:
            return cached
        with locked(place):
            if (cached := self._read(place)) is not None:
                return cached
            latents = self._conditioned(paths)
            with atomic_file(place) as file:
                np.savez(
                    file,
                    conditioning=latents.conditioning.cpu().numpy(),
                    speaker=latents.speaker.cpu().numpy(),
                )
        return latents

    def _conditioned(self, paths: Sequence[Path]) -> Latents:
        chosen = best([piece for path in paths for piece in stretches(read_clip(path))])
        return self._compute([level(clip) for clip in chosen])

    def _key(self, paths: Sequence[Path]) -> str:
        config = self._checkpoint.model.config
        digest = hashlib.sha256(
            f"{_FORMAT}|{self._checkpoint.fingerprint}|{config.gpt_cond_len}|"
            f"{config.gpt_cond_chunk_len}".encode()
        )
        for path in paths:
            if not path.is_file():
                raise EngineError(f"There is no reference clip {path}.")
            digest.update(sha256(path).encode())
        return digest.hexdigest()[:24]

    def _read(self, place: Path) -> Latents | None:
        try:
            with place.open("rb") as file, np.load(file) as stored:
                return self._on_device(stored["conditioning"], stored["speaker"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None  # absent, or of a disk that was full: made again

    def _compute(self, clips: Sequence[Samples]) -> Latents:
        import torch

        model, config = self._checkpoint.model, self._checkpoint.model.config
        tensors = [torch.from_numpy(clip.copy())[None].to(model.device) for clip in clips]
        conditioning = model.get_gpt_cond_latents(
            torch.cat(tensors, dim=-1),
            RATE,
            length=config.gpt_cond_len,
            chunk_length=config.gpt_cond_chunk_len,
        )
        speakers = [model.get_speaker_embedding(tensor, RATE) for tensor in tensors]
        return self._on_device(conditioning, torch.stack(speakers).mean(dim=0))

    def _on_device(self, conditioning: Any, speaker: Any) -> Latents:
        import torch

        device = self._checkpoint.device
        made = [torch.as_tensor(value).float().to(device) for value in (conditioning, speaker)]
        return Latents(*made)


def stretches(clip: Samples) -> list[Samples]:
    """A recording in stretches of about ten seconds, so that the best of a long one are used."""
    count = max(1, round(len(clip) / (_STRETCH_S * RATE)))
    return [part for part in np.array_split(clip, count) if len(part)]


def level(clip: Samples) -> Samples:
    """A clip without silence at its ends, at one loudness."""
    sound = trimmed(clip, RATE)
    loudness = integrated_loudness(sound, RATE)
    peak = float(np.abs(sound).max(initial=0.0))
    if not np.isfinite(loudness) or peak <= 0:
        return sound
    gain = min(10 ** ((_LOUDNESS_LUFS - loudness) / 20), _PEAK / peak)
    return (sound * gain).astype(np.float32)
