"""``livedub serve``: run the daemon until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Iterator
from typing import cast

import uvicorn
from rich.console import Console

from server import descriptors
from server.commands.models import pull_arguments, spoken
from server.config import Config, amend, load
from server.engines.settled import require
from server.http.app import create_app
from server.http.doors import Doors
from server.http.exposure import check_exposure
from server.http.transport import Connections, LiveHttpProtocol
from server.limits import Clients, Places
from server.outputs.make import outputs
from server.outputs.retention import keep_tidy, recover
from server.sessions import logs
from server.sessions.daemon import APP, Daemon
from server.sessions.live import for_target
from server.sessions.spec import PUBLISH, configured_sessions
from server.websocket.transport import LiveWebSocketProtocol
from stream.errors import UserError
from stream.flow.bare_process import hide_memory

log = logging.getLogger(__name__)


def run_serve(options: argparse.Namespace, console: Console) -> int:
    """Serve until SIGTERM or Ctrl-C; a second signal stops at once."""
    assignments = [*options.set, *spoken(options)]
    config = load(options.config, preset=options.preset, assignments=assignments, cluster=True)
    check_exposure(config.serve)
    if not config.serve.sessions:
        session: dict[str, object] = {"id": "live"}
        if options.key is not None:
            session["key"] = options.key
        config = amend(config, {"serve.sessions": [session]})
    elif options.key is not None:
        raise UserError("--key is for a daemon without configured sessions: set their key instead")
    _require_models(config, options)
    logs.configure(as_json=options.log_json, verbose=options.verbose)
    return asyncio.run(_serve(config, console))


def _require_models(config: Config, options: argparse.Namespace) -> None:
    """Find out before any publisher comes what the configured sessions lack."""
    values = config.serve.sessions
    try:
        sessions = [(spec, spec.configured(config)) for spec in configured_sessions(values)]
    except UserError:
        return  # said with the session's name when it is created
    for spec, own in sessions:
        for target in spec.targets or [own.target]:
            dub = for_target(own, target)
            pull = pull_arguments(options) if dub == config else ""
            require(dub, pull, also_named=options.preset is not None)


BACKLOG = 128
"""Connections that the system holds until they are accepted; also how many are tried in a row."""


class HttpServer(uvicorn.Server):
    """uvicorn for a started daemon, which handles the signals itself.

    Args:
        daemon: its sessions end before the server's connections do.
        doors: into the sessions.
    """

    def __init__(self, daemon: Daemon, doors: Doors) -> None:
        serve = daemon.config.serve
        # The other half of the descriptors is for media, files and engines.
        most = min(serve.max_connections, descriptors.raise_limit() // 2)
        places = Places(most, serve.connections_per_address, Clients(serve.proxies))
        protocol = functools.partial(LiveHttpProtocol, connections=Connections(places))
        super().__init__(
            uvicorn.Config(
                create_app(daemon, doors.routers),
                http=cast(type[asyncio.Protocol], protocol),
                backlog=BACKLOG,
                forwarded_allow_ips=[str(proxy) for proxy in serve.proxies],
                log_config=None,
                access_log=False,
                ws=LiveWebSocketProtocol,
                ws_per_message_deflate=False,
                ws_max_size=64 * 1024,
                timeout_graceful_shutdown=3,
                server_header=False,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them."""
        yield


async def _serve(config: Config, console: Console) -> int:
    serve = config.serve
    if serve.reader == "process":
        hide_memory()
    descriptors.be_quiet_without(asyncio.get_running_loop())
    listening = _listen(serve.host, serve.port)
    try:
        daemon = Daemon(config, outputs)
    except UserError:
        listening.close()
        raise
    try:
        doors = Doors(daemon)
    except UserError:
        listening.close()
        await daemon.aclose()
        raise
    await asyncio.to_thread(recover, serve.recordings)
    tidying = asyncio.create_task(keep_tidy(serve.recordings, serve.keep_days, serve.keep_bytes))
    try:
        await daemon.start()
    except (OSError, UserError) as error:
        listening.close()
        tidying.cancel()
        await daemon.aclose()
        raise UserError(_reason(error)) from None
    server = HttpServer(daemon, doors)
    ending: set[asyncio.Task[None]] = set()

    async def end() -> None:
        console.print("Stopping: sessions play out what has come. Interrupt again to stop at once.")
        await daemon.aclose()
        await doors.aclose()
        server.should_exit = True

    def signalled() -> None:
        if ending:
            for task in ending:
                task.cancel()
            server.should_exit = server.force_exit = True
            return
        ending.add(asyncio.get_running_loop().create_task(end()))

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signalled)
    _announce(daemon, listening.getsockname()[1], console)
    await server.serve(sockets=[listening])
    tidying.cancel()
    await asyncio.gather(tidying, *ending, return_exceptions=True)
    if not ending:
        await daemon.aclose()
        await doors.aclose()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"cannot listen on {host} port {port}: {reason} (serve.host, serve.port)"
        ) from None


def _announce(daemon: Daemon, port: int, console: Console) -> None:
    host = daemon.config.serve.host
    shown = "localhost" if host in ("0.0.0.0", "::") else host
    console.print(f"Watch at http://{shown}:{port}/", highlight=False)
    if daemon.rtmp is None and daemon.srt is None:
        return
    given = {str(session.get("id")) for session in daemon.config.serve.sessions if "key" in session}
    for session in daemon.sessions.values():
        if session.spec.source == PUBLISH:
            key, note = session.key, ""
            if session.id in given:
                key, note = "KEY", ", with its key"
            elif not console.is_terminal:
                # What is printed ends in a journal that more people read than the configuration.
                key, note = "KEY", ", which wants a key: set one, it is shown on a terminal only"
            urls = []
            if daemon.rtmp is not None:
                urls.append(f"rtmp://{shown}:{daemon.rtmp.port}/{APP}/{key}")
            if daemon.srt is not None:
                urls.append(f"srt://{shown}:{daemon.srt.port}?streamid={key}")
            shown_url = f"Publish to {' or '.join(urls)} (session {session.id}{note})"
            console.print(shown_url, highlight=False, soft_wrap=True)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot listen for RTMP: {error.strerror or error} (serve.rtmp_port)"
    return str(error)
