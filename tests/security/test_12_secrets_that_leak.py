"""Keys and tokens stay where they were put: not on stdout, not with processes that push."""

import asyncio
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from server.commands.serve import _announce
from server.outputs.push_link import PushLink
from tests.helpers.daemons import served

UNIT = Path(__file__).parents[2] / "packaging" / "livedub.service"
KEY = "my-own-secret-key"
SESSIONS = f"serve.sessions=[{{id: given, key: {KEY}}}, {{id: made}}]"


@pytest.mark.parametrize("terminal", [False, True])
async def test_a_key_is_shown_once_to_who_has_no_other_way_to_know_it(terminal: bool) -> None:
    async with served(SESSIONS, "serve.rtmp_port=0") as it:
        out = StringIO()
        _announce(it.daemon, 8080, Console(file=out, width=300, force_terminal=terminal))
        made = it.daemon.sessions["made"].key
    assert KEY not in out.getvalue()
    assert (made in out.getvalue()) is terminal
    assert out.getvalue().count("Publish to rtmp://") == 2


async def test_a_process_that_pushes_gets_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HF_TOKEN", "LIVEDUB_SERVE_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    given: dict[str, str] = {}

    async def start(*_: object, env: dict[str, str], **__: object) -> None:
        given.update(env)
        raise FileNotFoundError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    with pytest.raises(FileNotFoundError):
        await PushLink("rtmp://127.0.0.1/live/x", 0, 0.0, lambda _: None).open(b"")
    assert "secret" not in given.values() and {"PATH", "PYTHONPATH"} <= set(given)


def test_the_unit_reads_its_configuration_as_a_credential() -> None:
    unit = UNIT.read_text(encoding="utf-8")
    assert "LoadCredential=config.yaml:/etc/livedub/config.yaml" in unit
    started = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert started and "${CREDENTIALS_DIRECTORY}/config.yaml" in started[1]
