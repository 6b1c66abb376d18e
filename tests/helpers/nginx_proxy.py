"""nginx in front of a daemon, with the configuration that the operator's guide recommends."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.nginx_rtmp import free_port

GUIDE = Path(__file__).parents[2] / "docs" / "operate" / "daemon.md"

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


def recommended() -> tuple[str, str]:
    """What the guide shows: a server at the root of a host, and a location below a path."""
    server, location = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return server, location


@contextlib.contextmanager
def proxied(folder: Path, daemon: str) -> Iterator[tuple[str, str]]:
    """Addresses of the root of a host and of a path that both lead to ``daemon``."""
    ports = free_port(), free_port()
    server, location = (one.replace("http://127.0.0.1:8080", daemon) for one in recommended())
    server = server.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{ports[0]};")
    server = server.replace("/var/log/nginx", str(folder))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/log info;
        events {{ worker_connections 64; }}
        http {{
            access_log off; {temporary}
            map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
            {server}
            server {{ listen 127.0.0.1:{ports[1]}; {location} }}
        }}
        """
    )
    process = subprocess.Popen(
        ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "log"]
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ports[1])):
                break
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{ports[0]}/", f"http://127.0.0.1:{ports[1]}/dub/"
    finally:
        process.kill()
        process.wait()
