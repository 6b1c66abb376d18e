"""Doors for files: configuration, glossaries, and models of the hub."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from server.config import load
from stages.mt.bergamot.student import Student
from stages.mt.glossary import Glossary
from stages.mt.untranslated import Untranslated
from stream.languages import language_tag


def config(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        load(Path(file.name), environment={})


def glossary(data: bytes) -> None:
    said, _, lines = data.decode(errors="replace").partition("\n")
    terms = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line[1:])
    if not terms:
        return
    translator = Glossary(Untranslated(), terms)
    asyncio.run(translator.translate(said))
    language_tag(said)


def marian(data: bytes) -> None:
    """A translation model from the hub."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(data)
        file.flush()
        Student(Path(file.name))
