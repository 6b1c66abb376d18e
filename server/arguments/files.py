"""What files are dubbed with: ``livedub file`` and ``livedub batch``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from server.arguments.shared import add_configuration, add_languages


def add_file(commands: Any) -> None:
    """``livedub file``."""
    file = commands.add_parser(
        "file",
        help="dub a media file",
        examples=(
            "livedub file talk.mp4                             # writes talk.pt.mp4",
            "livedub file talk.mp4 --target-lang es --subtitles .",
            "livedub file talk.mp4 out.mkv --report report.json --plot sync.png",
            "livedub file - - --target-lang pt <talk.mp4 | ffplay -",
        ),
    )
    file.add_argument("input", type=Path, help="any media that FFmpeg reads; - is standard input")
    file.add_argument(
        "output",
        type=Path,
        nargs="?",
        help="its suffix chooses the container; INPUT.LANGUAGE.SUFFIX beside the input by default; "
        "- is standard output, as Matroska",
    )

    dub = _add_dub(file)
    dub.add_argument(
        "--subtitles-in",
        type=Path,
        metavar="FILE",
        help="SubRip or WebVTT with what is said, in place of recognition, or with its translation",
    )
    dub.add_argument(
        "--subtitles-lang", help="language of --subtitles-in, if not in its name (talk.ru.srt)"
    )

    beside = file.add_argument_group("written beside it")
    beside.add_argument(
        "--subtitles", type=Path, metavar="DIR", help="write WebVTT and SRT in both languages"
    )
    beside.add_argument(
        "--report", type=Path, metavar="JSON", help="write figures for every utterance"
    )
    beside.add_argument("--plot", type=Path, metavar="PNG", help="draw source and dub on one axis")
    beside.add_argument(
        "--stems", type=Path, metavar="DIR", help="write the dub's voice and the bed, each alone"
    )

    pace = file.add_argument_group("pace")
    pace.add_argument("--realtime", action="store_true", help="pace the source at 1x, as if live")
    pace.add_argument(
        "--delay", help="seconds behind the source, or auto, with --realtime (playout.delay)"
    )
    pace.add_argument(
        "--resume", action="store_true", help="go on with a job that was killed, failed or stopped"
    )
    add_configuration(file.add_argument_group("models and settings"))


def add_batch(commands: Any) -> None:
    """``livedub batch``."""
    batch = commands.add_parser(
        "batch",
        help="dub many media files, several at once",
        examples=(
            "livedub batch films --out dubs                    # a folder, with all below it",
            "livedub batch a.mp4 b.mkv --out dubs --subtitles --report",
            "livedub batch films --out dubs --first '*trailer*' --jobs 4",
            "livedub batch films --out dubs --resume           # go on, finished files are skipped",
        ),
    )
    batch.add_argument("inputs", type=Path, nargs="+", metavar="IN", help="media, and folders")
    batch.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the dubs, made if necessary; batch.json in it has the results",
    )
    order = batch.add_argument_group("how it is done")
    order.add_argument(
        "--jobs", type=_count, metavar="N", help="files at once; as the machine allows by default"
    )
    order.add_argument(
        "--first",
        action="append",
        default=[],
        metavar="GLOB",
        help="files whose path or name matches are dubbed before the others; may be repeated",
    )
    order.add_argument(
        "--resume",
        action="store_true",
        help="go on: skip what is finished with the same settings, continue what was begun",
    )
    _add_dub(batch)
    beside = batch.add_argument_group("written beside each dub")
    beside.add_argument(
        "--subtitles", action="store_true", help="write WebVTT and SRT in both languages"
    )
    beside.add_argument(
        "--report", action="store_true", help="write figures for every utterance, as JSON"
    )
    add_configuration(batch.add_argument_group("models and settings"))


def _add_dub(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    dub = parser.add_argument_group("the dub")
    add_languages(dub)
    dub.add_argument(
        "--audio-track",
        metavar="TRACK",
        help="audio track to dub: its number from 0, language, title or disposition (input.track)",
    )
    dub.add_argument(
        "--channel",
        help="the one channel of it to dub: left, right or its number from 0 (input.channel)",
    )
    dub.add_argument(
        "--bed", choices=("duck", "lift", "mute", "keep"), help="the original under the dub"
    )
    dub.add_argument("--replace", action="store_true", help="leave out the original audio")
    return dub


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of files: give 1 or more")
    return number
