"""``livedub languages``: what translates and speaks which languages, and how to get it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from stages.languages.choice import command, is_installed
from stages.languages.table import (
    COVERED,
    PARAMETERS,
    Candidate,
    recognisers,
    translators,
    voices,
)
from stages.weights.known import KNOWN
from stages.weights.resolve import on_the_hub
from stream.languages import language_name, language_tag

_HEAD = """# Languages

What is known to translate between English and fifteen languages, and to speak them, best first
for a CPU. `livedub languages --source X --target Y` prints the same for any pair, with what is
installed on your machine and the command that gets the rest. This page is generated: `livedub
languages --markdown`.

`mt.engine: auto` and `tts.engine: auto` take the first line that is installed, and of the voices
the first that is quick enough: below a delay of 6 s, Kokoro wants four cores. What was taken, and
why, is the first line of `livedub file`, and in the daemon's log. Those marked *on request* have to
be named: NLLB until its licence has been accepted, and XTTSv2, which needs a recording to clone.
Languages are written as BCP 47 tags, as codes of three letters, or by name: `pt-BR`, `por`,
`Brazilian Portuguese`.

Sizes are what is downloaded, about; Marian models take a quarter of it once they have been
converted, which needs `pip install 'livedub[convert]'` once. Firefox's models of other pairs work
from a folder: `mt.engine: bergamot` with `mt.model` set to it. Voices of a region (`pt-PT`,
`es-MX`, `en-GB`, `nl-BE`) are taken for that region alone.

`asr.model: auto` takes `tiny.en` for English and `base` for other languages; of English, `base`
makes as many mistakes at twice the work ([Evaluation](use/evaluation.md#which-whisper)). A larger
model is taken if it has been fetched and the machine carries it: on a GPU, or on a CPU where its
encoder needs less than 0.4 s, which is tried at start. Work grows with the parameters; errors fall
with them, in languages other than English most (the word error rates are of few recordings). All
names that faster-whisper knows (`medium.en`, `large-v2`, `distil-large-v3`, `turbo`) may be written
wherever a Whisper model is named, `livedub models pull small` included.

Into English, `mt.engine: whisper` translates the sound of speech from any of those 99: roughly with
`base` (`mt.model`; the recogniser's own model if that can), fairly with `small`, well with
`medium` and `large-v3`, and not at all with `turbo`, `distil` or English-only models.
"""


def run_languages(options: argparse.Namespace, console: Console) -> int:
    """Print the table, of the pairs asked for; exit status 0."""
    if options.markdown:
        print(markdown(), end="")
        return 0
    source, target = options.source, options.target
    if source is None and target is None:
        pairs = list(_pairs())
    else:
        pairs = [(language_tag(source or "en"), language_tag(target or "en"))]
    table = Table(
        "pair", "for", "engine", "model or voice", "MB", "licence", "here, or how to get it"
    )
    for one, other in pairs:
        table.add_section()
        for row in _rows(one, other, brief=len(pairs) > 1):
            table.add_row(*row)
    console.print(table)
    return 0


def markdown() -> str:
    """The page ``docs/languages.md``."""
    lines = [_HEAD]
    for title, rows in (
        ("Recognition", _recognition_lines()),
        ("Translation", _translation_lines()),
        ("Voices", _voice_lines()),
    ):
        lines += [f"## {title}", "", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def _pairs() -> Iterator[tuple[str, str]]:
    for code in COVERED:
        yield "en", code
    for code in COVERED:
        yield code, "en"


def _rows(source: str, target: str, *, brief: bool) -> Iterator[tuple[str, ...]]:
    pair = f"{source} -> {target}"
    if not brief:
        for one in recognisers(source):
            there = "installed" if is_installed(one) else command([one])
            named = f"{one.model}: {one.note}"
            yield pair, "recognition", one.engine, named, _size(one.megabytes), one.licence, there
    found = (("translation", translators(source, target)), ("voice", voices(target)))
    for purpose, candidates in found:
        for candidate in candidates[:1] if brief else candidates:
            yield (
                pair,
                purpose,
                candidate.engine,
                _named(candidate),
                _size(candidate.megabytes),
                candidate.licence,
                "installed" if is_installed(candidate) else command([candidate]),
            )


def _named(candidate: Candidate) -> str:
    note = f": {candidate.note}" if candidate.note else ""
    return ("-" if candidate.model == "default" else candidate.model) + note


def _size(megabytes: int) -> str:
    return f"about {megabytes}" if megabytes else "-"


def _recognition_lines() -> Iterator[str]:
    yield "| `asr.model` | on the hub | MB | parameters | work of a call | |"
    yield "|---|---|---|---|---|---|"
    for one in recognisers("en"):
        hub = KNOWN[one.model].hub if one.model in KNOWN else on_the_hub(one.model)
        millions = PARAMETERS[one.model]
        work = f"{millions / PARAMETERS['tiny.en']:.0f} times that of `tiny.en`"
        yield (
            f"| `{one.model}` | `{hub}` | {_size(one.megabytes)} | {millions} M | "
            f"{'1' if one.model == 'tiny.en' else work} | {one.note} |"
        )


def _translation_lines() -> Iterator[str]:
    yield "| from | to | engine | `mt.model` | MB | licence | |"
    yield "|---|---|---|---|---|---|---|"
    for source, target in _pairs():
        for candidate in translators(source, target):
            yield _line(candidate, language_name(source), language_name(target))


def _voice_lines() -> Iterator[str]:
    yield "| language | engine | `tts.voice` | MB | licence | |"
    yield "|---|---|---|---|---|---|"
    for tag in ("en", *COVERED, "pt-PT", "es-MX", "en-GB", "nl-BE"):
        for candidate in voices(tag):
            if "-" not in tag or candidate.model != "default":
                yield _line(candidate, f"{language_name(tag)} (`{tag}`)")


def _line(candidate: Candidate, *first: str) -> str:
    model = "" if candidate.model == "default" else f"`{candidate.model}`"
    notes = ", ".join(filter(None, (candidate.note, "*on request*" if candidate.asked else "")))
    cells = (*first, f"`{candidate.engine}`", model, _size(candidate.megabytes), candidate.licence)
    return f"| {' | '.join(cells)} | {notes} |"
