"""The command line's arguments, a command at a time."""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path
from typing import Any

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

    _add_file(commands)

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
        "--rescore",
        action="store_true",
        help="score what the folder holds; run only what is missing",
    )

    doctor = commands.add_parser("doctor", help="show what is installed and what can run here")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    _add_configuration(doctor)
    _add_languages(doctor)

    serve = commands.add_parser("serve", help="dub live streams: the daemon")
    _add_configuration(serve)
    _add_languages(serve)
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

    _add_models(commands)
    _add_voices(commands)
    _add_training(commands)
    return parser


def _add_file(commands: Any) -> None:
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

    dub = file.add_argument_group("the dub")
    _add_languages(dub)
    dub.add_argument(
        "--audio-track",
        metavar="TRACK",
        help="audio track to dub: its number from 0, language, title or disposition (input.track)",
    )
    dub.add_argument(
        "--subtitles-in",
        type=Path,
        metavar="FILE",
        help="SubRip or WebVTT with what is said, in place of recognition, or with its translation",
    )
    dub.add_argument(
        "--subtitles-lang", help="language of --subtitles-in, if not in its name (talk.ru.srt)"
    )
    dub.add_argument(
        "--channel",
        help="the one channel of it to dub: left, right or its number from 0 (input.channel)",
    )
    dub.add_argument(
        "--bed", choices=("duck", "lift", "mute", "keep"), help="the original under the dub"
    )
    dub.add_argument("--replace", action="store_true", help="leave out the original audio")

    beside = file.add_argument_group("written beside it")
    beside.add_argument(
        "--subtitles", type=Path, metavar="DIR", help="write WebVTT and SRT in both languages"
    )
    beside.add_argument(
        "--report", type=Path, metavar="JSON", help="write figures for every utterance"
    )
    beside.add_argument("--plot", type=Path, metavar="PNG", help="draw source and dub on one axis")

    pace = file.add_argument_group("pace")
    pace.add_argument("--realtime", action="store_true", help="pace the source at 1x, as if live")
    pace.add_argument(
        "--delay", help="seconds behind the source, or auto, with --realtime (playout.delay)"
    )
    pace.add_argument(
        "--resume", action="store_true", help="go on with a job that was killed, failed or stopped"
    )
    _add_configuration(file.add_argument_group("models and settings"))


def _add_configuration(parser: argparse._ActionsContainer) -> None:
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


def _add_languages(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--source-lang",
        help="language spoken, by code or name; auto, or several such as en,es (languages.source)",
    )
    parser.add_argument("--target-lang", help="language of the dub, likewise (languages.target)")


def _add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="fetch, list, check and convert weights")
    models.set_defaults(explained=models)
    actions = models.add_subparsers(metavar="ACTION", dest="action")
    pull = actions.add_parser("pull", help="fetch weights, all of the configuration's by default")
    pull.add_argument("models", nargs="*", metavar="MODEL", help="name, owner/name, or path")
    pull.add_argument(
        "--accept-licence", action="store_true", help="accept the licences of what is fetched"
    )
    _add_configuration(pull)
    _add_languages(pull)
    listed = actions.add_parser("list", help="list the weights on this machine")
    listed.add_argument("--json", action="store_true", help="as JSON")
    verify = actions.add_parser(
        "verify", help="verify weights, all by default, against their checksums"
    )
    verify.add_argument("models", nargs="*", metavar="MODEL")
    convert = actions.add_parser(
        "convert", help="convert a Marian or NLLB checkpoint for CTranslate2"
    )
    convert.add_argument("model", metavar="MODEL")
    convert.add_argument("--offline", action="store_true", help="never touch the network")


def _add_voices(commands: Any) -> None:
    voices = commands.add_parser("voices", help="manage, preview and compare voices to clone")
    voices.set_defaults(explained=voices)
    actions = voices.add_subparsers(metavar="ACTION", dest="action")

    add = actions.add_parser("add", help="store a voice from recordings of it")
    add.add_argument("name", help="letters, digits, - and _")
    add.add_argument("clips", type=Path, nargs="+", help="clean speech of 6 to 20 s each")
    add.add_argument(
        "--consent", action="store_true", help="record that its owner has agreed to be cloned"
    )
    actions.add_parser("list", help="list the stored voices and the quality of their clips")
    remove = actions.add_parser("remove", help="delete a voice and its clips")
    remove.add_argument("name")
    preview = actions.add_parser("preview", help="speak a text with the configured engine")
    preview.add_argument("name", help="a stored voice, a clip, or one of the engine's own")
    preview.add_argument("--text", help="what to say")
    preview.add_argument("--out", type=Path, help="WAV to write; NAME.wav by default")
    _add_configuration(preview)

    compare = actions.add_parser("compare", help="measure two voices or checkpoints")
    compare.add_argument("base", help="XTTS checkpoint (folder or hub id), ENGINE, or ENGINE:VOICE")
    compare.add_argument("other", help="the same")
    compare.add_argument("--texts", nargs="+", required=True, help="sentences, or files of them")
    compare.add_argument("--reference", type=Path, required=True, help="clip of the true voice")
    compare.add_argument("--takes", type=int, default=3, help="takes of each text")
    compare.add_argument("--json", action="store_true", help="as JSON")
    compare.add_argument("--plot", type=Path, metavar="PNG", help="draw the figures")
    _add_configuration(compare)


def _add_training(commands: Any) -> None:
    dataset = commands.add_parser("dataset", help="make a training set for a voice")
    dataset.set_defaults(explained=dataset)
    build = dataset.add_subparsers(metavar="ACTION", dest="action").add_parser(
        "build", help="find one person's speech in media, cut, transcribe and judge it"
    )
    build.add_argument("media", type=Path, nargs="+", help="films, recordings: any media")
    build.add_argument("--speaker", type=Path, required=True, help="clip of the person's voice")
    build.add_argument("--out", type=Path, required=True, help="folder to make")
    build.add_argument(
        "--similarity", type=float, default=0.75, help="cosine from which speech is the person's"
    )
    build.add_argument("--denoise", action="store_true", help="suppress steady noise (afftdn)")
    _add_configuration(build)

    finetune = commands.add_parser("finetune", help="train XTTSv2 on a voice")
    finetune.add_argument("dataset", type=Path, help="folder made by livedub dataset build")
    finetune.add_argument(
        "--model", required=True, help="checkpoint to start from: folder or hub id"
    )
    finetune.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    finetune.add_argument("--language", help="of the recordings; as the set says by default")
    finetune.add_argument("--epochs", type=int, default=50, help="at most")
    finetune.add_argument("--patience", type=int, default=5, help="epochs without progress")
    finetune.add_argument("--batch", type=int, default=3, help="clips in one step")
    finetune.add_argument("--accumulate", type=int, default=84, help="steps between updates")
    finetune.add_argument("--learning-rate", type=float, default=5e-6)
