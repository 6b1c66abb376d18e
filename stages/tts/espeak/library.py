"""libespeak-ng through ctypes: speech and phonemes of any of its languages."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages.base import EngineError
from stream.frames import Samples
from stream.languages import base

SAMPLE_RATE = 22_050

_SYNCHRONOUS = 2
_NO_EXIT = 0x8000
_UTF8 = 1
_IPA = 2
_RATE = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_CLAUSE = re.compile(r"([.,!?;:…—]+)(?=\s|$)")
_SWITCH = re.compile(r"\([a-z-]+\)")
"""How eSpeak marks a word that it reads by another language's rules."""
# What eSpeak calls a language differently; Portuguese and English are the larger variety.
_NAMES = {"zh": "cmn", "no": "nb", "pt": "pt-br", "pt-pt": "pt", "en": "en-us", "en-gb": "en-gb",
          "iw": "he"}  # fmt: skip

PATIENCE_S = 10.0
"""Seconds that a call waits for the one before it: each takes some milliseconds."""

_lock = threading.Lock()


def speak(text: str, voice: str, words_per_minute: int) -> Samples:
    """Speech of ``text``, mono at ``SAMPLE_RATE``; the same for the same arguments.

    Args:
        text: without NUL characters.
        voice: eSpeak's name of a language, with ``+variant`` if wanted.
        words_per_minute: 80 to 450; 175 is eSpeak's own.

    Raises:
        EngineError: if there is no such voice.
    """
    blocks: list[Samples] = []

    def collect(samples: Any, count: int, events: object) -> int:
        if samples and count:
            block = np.ctypeslib.as_array(samples, (count,)).astype(np.float32)
            blocks.append(block / np.float32(32768))
        return 0

    callback = _CALLBACK(collect)
    data = text.encode(errors="ignore")
    with _opened() as library:
        library.espeak_SetSynthCallback(callback)
        _select(library, voice)
        library.espeak_SetParameter(_RATE, words_per_minute, 0)
        library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def phonemes(text: str, language: str) -> str:
    """``text`` in the International Phonetic Alphabet, its punctuation kept.

    Args:
        text: of any length.
        language: ISO 639 code or eSpeak's own name.

    Raises:
        EngineError: if eSpeak does not know the language.
    """
    pieces = _CLAUSE.split(text.replace("\0", " "))
    voice = voice_name(language)
    with _opened() as library:
        _select(library, voice)
        read = [
            part if index % 2 else _transcribe(library, part) for index, part in enumerate(pieces)
        ]
    spaced = "".join(f"{part} " if index % 2 else part for index, part in enumerate(read))
    return spaced.strip()


@functools.cache
def voice_name(language: str) -> str:
    """What eSpeak calls a language, whose region or script counts only where it has a voice."""
    code = language.lower().replace("_", "-")
    if code in _NAMES or "-" not in code:
        return _NAMES.get(code, code)
    names = {path.name.lower() for path in (_data() / "lang").rglob("*") if path.is_file()}
    return code if code in names else voice_name(base(code))


def version() -> str:
    """The library's version."""
    with _opened() as library:
        library.espeak_Info.restype = ctypes.c_char_p
        found = library.espeak_Info(None)
    return found.decode() if isinstance(found, bytes) else "unknown"


def variants() -> tuple[str, ...]:
    """Names of the ways to speak that any voice can have, such as ``f2``."""
    return tuple(sorted(path.name for path in (_data() / "voices" / "!v").glob("*")))


def is_available() -> bool:
    """Whether there is a library to load."""
    with contextlib.suppress(EngineError):
        _place()
        return True
    return False


def _data() -> Path:
    """The folder of the library's voices and dictionaries."""
    folder = ctypes.c_char_p()
    with _opened() as library:
        library.espeak_Info(ctypes.byref(folder))
        return Path((folder.value or b"").decode())


@functools.cache
def _place() -> tuple[str, bytes | None]:
    """The library and its data: the wheel's, else the system's with the data it knows."""
    with contextlib.suppress(ImportError):
        import espeakng_loader

        return espeakng_loader.get_library_path(), espeakng_loader.get_data_path().encode()
    found = ctypes.util.find_library("espeak-ng")
    if found is None:
        raise EngineError(
            "eSpeak NG is not installed: pip install espeakng-loader, "
            "or install espeak-ng with the system's package manager."
        )
    return found, None


@contextlib.contextmanager
def _opened() -> Iterator[Any]:
    """The library freshly loaded, by one thread at a time.

    It keeps voice, parameters and the phase of its pitch flutter in static variables:
    reloading it (about 5 ms) makes calls independent of each other.
    """
    path, data = _place()
    if not _lock.acquire(timeout=PATIENCE_S):
        raise EngineError("eSpeak NG hangs in an earlier call: restart the program.")
    try:
        library = ctypes.CDLL(path)
        try:
            if library.espeak_Initialize(_SYNCHRONOUS, 0, data, _NO_EXIT) <= 0:
                raise EngineError(
                    f"eSpeak NG at {path} does not start: its data folder is missing or of "
                    "another version; reinstall it."
                )
            yield library
            library.espeak_Terminate()
        finally:
            _unload(library)
    finally:
        _lock.release()


def _unload(library: Any) -> None:
    import _ctypes

    name = "FreeLibrary" if sys.platform == "win32" else "dlclose"
    getattr(_ctypes, name)(library._handle)


def _select(library: Any, voice: str) -> None:
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise EngineError(
            f"eSpeak NG has no voice '{voice}': use a language code such as 'pt-br', 'ru' or 'cmn'."
        )


def _transcribe(library: Any, text: str) -> str:
    if not text.strip():
        return " " if text else ""
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    buffer = ctypes.create_string_buffer(text.encode(errors="ignore"))
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses: list[str] = []
    while rest.value:
        found = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA)
        clauses.append(found.decode(errors="ignore") if found else "")
    return _SWITCH.sub("", " ".join(filter(None, clauses)))
