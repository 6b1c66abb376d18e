"""What weights and voices are fetched, stored and made with: models, voices, dataset, finetune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.arguments.shared import add_configuration, add_languages


def add_models(commands: Any) -> None:
    """``livedub models``."""
    models = commands.add_parser("models", help="fetch, list, check and convert weights")
    models.set_defaults(explained=models)
    actions = models.add_subparsers(metavar="ACTION", dest="action")
    pull = actions.add_parser("pull", help="fetch weights, all of the configuration's by default")
    pull.add_argument("models", nargs="*", metavar="MODEL", help="name, owner/name, or path")
    pull.add_argument(
        "--accept-licence", action="store_true", help="accept the licences of what is fetched"
    )
    add_configuration(pull)
    add_languages(pull)
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


def add_voices(commands: Any) -> None:
    """``livedub voices``."""
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
    add_configuration(preview)

    compare = actions.add_parser("compare", help="measure two voices or checkpoints")
    compare.add_argument("base", help="XTTS checkpoint (folder or hub id), ENGINE, or ENGINE:VOICE")
    compare.add_argument("other", help="the same")
    compare.add_argument("--texts", nargs="+", required=True, help="sentences, or files of them")
    compare.add_argument("--reference", type=Path, required=True, help="clip of the true voice")
    compare.add_argument("--takes", type=int, default=3, help="takes of each text")
    compare.add_argument("--json", action="store_true", help="as JSON")
    compare.add_argument("--plot", type=Path, metavar="PNG", help="draw the figures")
    add_configuration(compare)


def add_training(commands: Any) -> None:
    """``livedub dataset`` and ``livedub finetune``."""
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
    add_configuration(build)

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
