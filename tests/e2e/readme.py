"""README's commands as they are written, by somebody who has nothing but Python: ``make readme``.

A clone in a folder of its own, a home of its own, an environment without what developers have. Only
where pip downloads from, and the versions that are locked, are passed on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.demo_clip import SCRIPT, make_clip

SECTIONS = ("Two commands", "Live", "How well it keeps time")
"""Of README: the others want a network for models."""

LEFT_OUT = ("--play",)
"""What only a person can judge."""


def commands(readme: str) -> list[str]:
    """The commands of ``SECTIONS``, in their order, without comments."""
    found = []
    for section in re.split(r"^## ", readme, flags=re.MULTILINE):
        title, _, body = section.partition("\n")
        if title in SECTIONS:
            lines = re.findall(r"^    (\S.*)$", body, re.MULTILINE)
            found += [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return [one for one in found if not any(part in one for part in LEFT_OUT)]


def prepared(line: str) -> str:
    """A command with what a person would do around it."""
    match line.split():
        case ["make", "demo"]:  # a brief film: what is tested is that the commands work
            return "make demo IN=talk.mp4"
        case ["livedub", "eval", *_]:  # as README says below it
            return f"pip install '.[eval]'\n{line}"
        case ["livedub", "measure", *_]:
            return "livedub measure talk.mp4 talk.pt.mp4"
        case ["livedub", "serve", *_]:
            until = f"until {_SESSION} | grep waiting; do sleep 1; kill -0 $server; done"
            return f"{line}\nserver=$!\n{until}"
        case ["ffmpeg", *_]:
            return f"{line}\n{_SESSION} | grep '\"connections\":1'\nkill $server\nwait $server"
    return line


_SESSION = "curl -sf http://127.0.0.1:8080/sessions/live"

_EVAL = """source: en
target: pt
clips:
  - name: talk
    media: talk.mp4
    segments:
      - {text: "A ferry crosses the river.", translation: "Uma balsa cruza o rio."}
"""


@contextlib.contextmanager
def clone() -> Iterator[Path]:
    """A fresh clone of what is committed here, with the files that README's commands name."""
    here = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory(prefix="livedub-readme-") as name:
        folder = Path(name) / "livedub"
        subprocess.run(["git", "clone", "--quiet", str(here), str(folder)], check=True)
        (folder / "demo").mkdir()
        (folder.parent / "home").mkdir()
        make_clip(folder / "talk.mp4", script=SCRIPT[:2], size="160x90")
        shutil.copy(folder / "talk.mp4", folder / "demo" / "clip.mp4")
        (folder / "set.yaml").write_text(_EVAL)
        yield folder


def environment(folder: Path) -> dict[str, str]:
    """Of somebody who has just logged in, with the locked versions."""
    locked = (folder / "packaging" / "locked.txt").read_text()
    versions = folder.parent / "versions.txt"
    versions.write_text("\n".join(re.findall(r"^(\S+==\S+(?: ;.*?)?) *\\$", locked, re.MULTILINE)))
    passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    own = Path.home() / ".config" / "pip" / "pip.conf"
    if own.exists():
        passed["PIP_CONFIG_FILE"] = str(own)
    return {
        **passed,
        "PATH": os.defpath,
        "HOME": str(folder.parent / "home"),
        "LANG": "C.UTF-8",
        "PIP_CONSTRAINT": str(versions),
        "PIP_QUIET": "1",
        "PIP_NO_COMPILE": "1",
        "LIVEDUB_TTS_ENGINE": "espeak",
    }


def main() -> int:
    """Run them all; the status is that of the first that fails."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    for port in (8080, 1935):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                print(f"README's commands need port {port}, on which something listens already.")
                return 1
    lines = [prepared(line) for line in commands(readme)]
    with clone() as folder:
        began = time.monotonic()
        script = "\n".join(["set -eux", *lines])
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment(folder))
        print(f"README: {len(lines)} commands in {time.monotonic() - began:.0f} s")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
