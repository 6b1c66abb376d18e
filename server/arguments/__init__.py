"""The command line's arguments, a command at a time."""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path

from server.arguments.cluster import add_cluster
from server.arguments.files import add_batch, add_file
from server.arguments.shared import add_configuration, add_languages
from server.arguments.weights import add_models, add_training, add_voices
from server.suggesting_parser import PrintCompletion, SuggestingParser


def _version() -> str:
    try:
        return metadata.version("livedub")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands: ``command`` is the one given, ``action`` the one below it."""
    parser = SuggestingParser(
        prog="livedub",
        description="Dub speech into another language, in sync with its picture.",
        examples=(
            "livedub file talk.mp4                   # dub a film: writes talk.pt.mp4",
            "livedub batch films --out dubs          # dub all films of a folder",
            "livedub serve --key my-stream-key       # dub live streams",
            "livedub doctor                          # what is installed, what can run here",
        ),
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens inside")
    parser.add_argument("--version", action="version", version=f"livedub {_version()}")
    parser.add_argument(
        "--print-completion",
        dest="shell",
        action=PrintCompletion,
        help="print what completes livedub's commands in a shell",
    )
    parser.set_defaults(explained=parser)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")

    add_file(commands)
    add_batch(commands)

    measure = commands.add_parser("measure", help="measure how well any dub keeps time")
    measure.add_argument("original", type=Path)
    measure.add_argument("dubbed", type=Path)
    measure.add_argument("--original-track", type=int, help="audio track, counted from 0")
    measure.add_argument("--dubbed-track", type=int, help="audio track, counted from 0")
    measure.add_argument("--json", action="store_true", help="as JSON")

    evaluate = commands.add_parser(
        "eval",
        help="score the dubs of a test set; see docs/use/evaluation.md",
        usage="livedub eval MANIFEST --out DIR [OPTION ...]\n"
        "       livedub eval compare A.json[:SYSTEM] B.json[:SYSTEM]",
    )
    evaluate.add_argument(
        "manifest",
        type=Path,
        nargs="+",
        metavar="MANIFEST",
        help="the clips, YAML or JSON; or compare and two reports",
    )
    evaluate.add_argument("--out", type=Path, metavar="DIR", help="folder of the report")
    evaluate.add_argument(
        "--config",
        action="append",
        metavar="NAME[=FILE]",
        help="a system: livedub with this file or the defaults; may be repeated",
    )
    evaluate.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="[NAME:]KEY=VALUE",
        help="one setting, of all systems or of one; may be repeated",
    )
    evaluate.add_argument("--realtime", action="store_true", help="run at live pace")
    evaluate.add_argument("--delay", type=float, help="seconds behind the source, with --realtime")
    evaluate.add_argument(
        "--delays",
        type=_numbers,
        metavar="S,S,...",
        help="run at live pace at each of these delays, one after the other",
    )
    evaluate.add_argument(
        "--sequential",
        action="store_true",
        help="add the baseline: the first system's models one after the other on the whole file",
    )
    evaluate.add_argument(
        "--dubs",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="add finished dubs CLIP.SUFFIX with CLIP.json; may be repeated",
    )
    evaluate.add_argument(
        "--clips", type=lambda text: text.split(","), metavar="NAME,...", help="only these"
    )
    evaluate.add_argument(
        "--listener", metavar="MODEL", help="Whisper model that transcribes the dubs"
    )
    evaluate.add_argument(
        "--sound",
        action="store_true",
        help="also measure how dubs sound: DNSMOS, voices, the bed, and by default whether Whisper "
        "base understands them",
    )
    evaluate.add_argument(
        "--rescore",
        action="store_true",
        help="score what the folder holds; run only what is missing",
    )

    doctor = commands.add_parser("doctor", help="show what is installed and what can run here")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    add_configuration(doctor)
    add_languages(doctor)

    serve = commands.add_parser("serve", help="dub live streams: the daemon")
    add_configuration(serve)
    add_languages(serve)
    serve.add_argument(
        "--key", help="stream key of the session that is created if none is configured"
    )
    serve.add_argument("--log-json", action="store_true", help="log as JSON, one object a line")

    listen = commands.add_parser(
        "listen", help="receive a live dub: play it, or write it to a file"
    )
    listen.add_argument("url", help="ws://HOST/sessions/ID/listen")
    listen.add_argument("--track", help="a language code, or original; the first dub by default")
    listen.add_argument(
        "--format",
        choices=("pcm_s16le", "pcm_f32le", "opus"),
        default="pcm_s16le",
        help="on the wire",
    )
    listen.add_argument(
        "--out", metavar="FILE", help="write the sound; - is standard output, 16-bit samples"
    )
    listen.add_argument("--play", action="store_true", help="play it with ffplay, paplay or aplay")
    listen.add_argument("--no-captions", action="store_true", help="do not show captions")
    listen.add_argument("--token", help="sent as a bearer token")

    languages = commands.add_parser(
        "languages", help="show what translates and speaks which languages, and how to get it"
    )
    languages.add_argument("--source", metavar="X", help="language spoken, by code or name")
    languages.add_argument("--target", metavar="Y", help="language of the dub, likewise")
    languages.add_argument("--markdown", action="store_true", help="print docs/languages.md")

    add_models(commands)
    add_voices(commands)
    add_training(commands)
    add_cluster(commands)
    return parser
