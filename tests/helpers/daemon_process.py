"""``livedub serve`` as a process of its own, with real engines."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import httpx


class DaemonProcess:
    """Runs until ``end`` or ``kill``.

    Args:
        settings: ``key=value``; the voice is eSpeak NG, and ports are free ones, unless given.
        options: of ``serve``.

    Attributes:
        url: where it answers, with a slash at its end.
        rtmp: where publishers go, up to their key.
        http: a client for ``url``.
    """

    def __init__(self, *settings: str, options: tuple[str, ...] = ()) -> None:
        defaults = ("tts.engine=espeak", "serve.port=0", "serve.rtmp_port=0")
        sets = [part for setting in (*defaults, *settings) for part in ("--set", setting)]
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "server.cli", "serve", *options, *sets],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = ""
        while not (ports := re.search(r"(http://\S+)\n.*rtmp://\S+?:(\d+)/", said, re.S)):
            line = self._process.stdout.readline()
            assert line, f"the daemon did not start: {said}"
            said += line
        self.url, self.rtmp = ports[1], f"rtmp://127.0.0.1:{ports[2]}/live"
        self.http = httpx.Client(base_url=self.url, timeout=10)

    def shown(self, id_: str) -> dict[str, object]:
        """A session as the API shows it."""
        answer: dict[str, object] = self.http.get(f"sessions/{id_}").json()
        return answer

    def loaded(self, id_: str) -> None:
        """Wait until a session has its engines and waits for a publisher."""
        deadline = time.monotonic() + 60
        while self.shown(id_)["state"] != "waiting":
            assert time.monotonic() < deadline, self.shown(id_)
            time.sleep(0.1)

    def end(self, within: float = 60) -> int:
        """SIGTERM, and wait until everything has been played out; its exit code."""
        self.http.close()
        self._process.terminate()
        try:
            return self._process.wait(within)
        finally:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
