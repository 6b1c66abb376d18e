"""nginx with its RTMP module: a server to push to, which can go away and return."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None or not MODULE.exists(),
    reason="nginx with its RTMP module is not installed",
)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe_:
        probe_.bind(("127.0.0.1", 0))
        return int(probe_.getsockname()[1])


class Nginx:
    """A real RTMP server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"rtmp://127.0.0.1:{self.port}/live/show"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "nginx.conf").write_text(
            f"""
            load_module {MODULE};
            daemon off; master_process off; pid {folder}/pid; error_log {folder}/log info;
            events {{ worker_connections 64; }}
            rtmp {{ server {{
                listen 127.0.0.1:{self.port};
                application live {{ live on; wait_key on; drop_idle_publisher 30s; }}
            }} }}
            """
        )

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["nginx", "-p", self._folder, "-c", self._folder / "nginx.conf", "-e", "log"]
        )
        deadline = time.monotonic() + 5
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid
