"""Options of the commands that dub files, as settings."""

from __future__ import annotations

import argparse


def assignments(options: argparse.Namespace) -> list[str]:
    """The settings of the command line, options of their own last."""
    given: list[str] = list(options.set)
    for key, value in (
        ("languages.source", options.source_lang),
        ("languages.target", options.target_lang),
        ("input.track", options.audio_track),
        ("input.channel", options.channel),
        ("playout.delay", getattr(options, "delay", None)),
        ("playout.bed", options.bed),
        ("output.replace", "true" if options.replace else None),
    ):
        if value is not None:
            given.append(f"{key}={value}")
    return given
