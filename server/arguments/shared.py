"""Options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_configuration(parser: argparse._ActionsContainer) -> None:
    """Where settings come from."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="preset to start from: live, studio, or with a pair, live-en-ru",
    )
    parser.add_argument("--config", type=Path, help="a YAML file like config.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one setting, such as tts.engine=espeak; may be repeated",
    )
    parser.add_argument("--offline", action="store_true", help="never touch the network for models")


def add_languages(parser: argparse._ActionsContainer) -> None:
    """Languages spoken and dubbed."""
    parser.add_argument(
        "--source-lang",
        help="language spoken, by code or name; auto, or several such as en,es (languages.source)",
    )
    parser.add_argument("--target-lang", help="language of the dub, likewise (languages.target)")
