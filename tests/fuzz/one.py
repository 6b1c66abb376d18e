"""One door for some seconds: ``python -m tests.fuzz.one DOOR SECONDS FOLDER``.

With atheris, what is tried follows from what was reached; without it, seeds are changed at random.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 16
"""Of what is tried."""

SLOWEST_S = 30
"""Seconds for one of them, on a busy machine."""

MOST_MB = 2000


def _mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 2:
                del data[at : at + chance.choice((1, 2, 4, 64))]
            case 3:
                data[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case _:
                other = chance.choice(seeds)
                begin = chance.randrange(len(other) + 1)
                data[at:at] = other[begin : begin + chance.randrange(200)]
    return bytes(data[:MOST_BYTES])


def _at_random(
    name: str, seconds: float, folder: Path, seeds: list[bytes], take: Callable[[bytes], None]
) -> None:
    chance, until, count = random.Random(), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data, count = _mutated(chance, seeds), count + 1
        try:
            take(data)
        except Exception:
            (folder / f"{name}-crash").write_bytes(data)
            raise
    print(f"Done {count} runs")


def main() -> None:
    """Fuzz the door that the arguments name."""
    name, seconds, folder = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    try:
        import atheris
    except ImportError:
        atheris = None
    instrumented: Any = contextlib.nullcontext()
    if atheris is not None:
        instrumented = atheris.instrument_imports(include=["server", "stages", "stream"])
    with instrumented:
        from stream.errors import LivedubError
        from tests.fuzz import doors
        from tests.fuzz import seeds as all_seeds

        door = doors.door(name)
    seeds = [seed[:MOST_BYTES] for seed in getattr(all_seeds, name)()]

    def take(data: bytes) -> None:
        with contextlib.suppress(LivedubError):
            door(data)

    print("Loaded", flush=True)
    if atheris is None:
        _at_random(name, seconds, folder, seeds, take)
        return
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": max(1, round(seconds)),
        "max_len": MOST_BYTES,
        "timeout": SLOWEST_S,
        "rss_limit_mb": MOST_MB,
        "artifact_prefix": f"{folder}{os.sep}{name}-",
        "verbosity": 1,
        "print_final_stats": 1,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
