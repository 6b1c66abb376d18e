"""The part of the Hugging Face hub's HTTP interface that fetches a repository."""

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789" * 4


class FakeHub:
    """Repositories with the given files; notes what was asked of it.

    Attributes:
        repositories: files by the name of their repository.
        breaks: files whose next transfer ends in the middle.
        requests: method, path and ``Range`` header of each request.
    """

    def __init__(self, repository: str, files: dict[str, bytes]) -> None:
        self.repositories = {repository: files}
        self.breaks: set[str] = set()
        self.requests: list[tuple[str, str, str | None]] = []
        self.url = ""


class _Server(ThreadingHTTPServer):
    hub: FakeHub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self) -> None:
        hub = self.server.hub
        hub.requests.append((self.command, self.path, self.headers.get("Range")))
        path = unquote(self.path)
        name = re.match(r"(?:/api/models)?/([^/]+/[^/?]+)", path)
        repository = name[1] if name else ""
        files = hub.repositories.get(repository)
        if files is None:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif re.match(rf"/api/models/{repository}(/revision/[^/]+)?(\?|$)", path):
            siblings = [{"rfilename": name} for name in files]
            info = {"id": repository, "sha": _commit(path), "siblings": siblings}
            self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"})
        elif path.startswith(f"/api/models/{repository}/tree/"):
            tree = [entry(name, content) for name, content in files.items()]
            self._send(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})
        elif (match := re.match(r"/[^/]+/[^/]+/resolve/[^/]+/(.+)$", path)) and match[1] in files:
            self._file(match[1], files[match[1]], _commit(path))
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})

    def _file(self, name: str, content: bytes, commit: str) -> None:
        hub = self.server.hub
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag(name, content)}"'}
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        broken = self.command == "GET" and name in hub.breaks
        hub.breaks -= {name} if broken else set()
        self._send(206 if asked else 200, content[start:], headers, broken=broken)

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], *, broken: bool = False
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if broken else body)
        if broken:
            self.close_connection = True


@contextlib.contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve a hub on this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def entry(name: str, content: bytes) -> dict[str, object]:
    """A file in a repository's listing."""
    listed: dict[str, object] = {"type": "file", "path": name, "size": len(content)}
    digest = etag(name, content)
    if len(digest) == 64:
        listed["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
        digest = hashlib.sha1(digest.encode()).hexdigest()
    return {**listed, "oid": digest}


def _commit(path: str) -> str:
    """The commit that is asked for by its name; else the newest, which is the only other."""
    asked = re.search(r"/(?:revision|resolve)/([0-9a-f]{40})(?:[/?]|$)", path)
    return asked[1] if asked else COMMIT


def etag(name: str, content: bytes) -> str:
    """SHA-256 of weights, Git's blob SHA-1 of small files, as the hub names them."""
    if name.endswith((".bin", ".onnx", ".safetensors")):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
