"""``livedub listen``: receive a live session's dub, record or play it, and show its captions."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from server.commands.listen_recorder import (
    FileOutput,
    Output,
    OutputGone,
    PipeOutput,
    PlayerOutput,
    Timeline,
    find_player,
)
from server.websocket.client import Hello, ListenClient, ListenError
from server.websocket.frames import Frame
from stream.errors import UserError
from stream.flow.channel import Channel
from stream.flow.worker import Worker
from stream.frames import Samples
from stream.timeline import TICK_RATE

WAITING_FRAMES = 500
"""Frames, 10 s, queued for a slow disk or player before the server is held back."""

REMEMBERED_CAPTIONS = 1000
"""Captions remembered as shown, so that a reconnection repeats none."""


def run_listen(options: argparse.Namespace, console: Console) -> int:
    """Listen until the session ends; exit status 0, 2 when refused, 130 when interrupted.

    Raises:
        UserError: in one sentence, for what cannot work or is refused.
    """
    if options.no_captions and not options.play and options.out is None:
        raise UserError("Nothing would be heard, written or shown: give --out FILE or --play")
    if options.out not in (None, "-"):
        _check_path(Path(options.out))
    query = {"format": options.format, "rate": str(TICK_RATE)}
    query["events"] = "false" if options.no_captions else "true"
    if options.track is not None:
        query["track"] = options.track
    if options.play:
        find_player()
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    client = ListenClient(options.url, query, token=options.token, tell=say)
    captions = None if options.no_captions else _Captions(console)
    try:
        return asyncio.run(_Listening(client, options, captions, say).run())
    except asyncio.CancelledError:
        return 130  # interrupted twice


def _check_path(path: Path) -> None:
    """Find out before an hour has been received whether it can be written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file to write")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path.parent} does not exist: make the folder first")


class _Listening:
    """One run of the command."""

    def __init__(
        self,
        client: ListenClient,
        options: argparse.Namespace,
        captions: _Captions | None,
        tell: Callable[[str], None],
    ) -> None:
        self._client = client
        self._tell = tell
        self._options = options
        self._captions = captions
        self._sound = Channel[tuple[Hello | Frame, float]](WAITING_FRAMES)
        self._timeline: Timeline | None = None
        self._outputs: list[Output] = []
        self._error: ListenError | None = None
        self._interrupted = False

    async def run(self) -> int:
        worker = Worker("listen")
        receiving = asyncio.create_task(self._receive())
        self._stop_on_signals(receiving)
        try:
            try:
                await self._write(worker)
            except Exception:
                await worker.run(self._discard)
                raise
            await worker.run(self._close)
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await worker.aclose()
        if self._error is not None:
            raise self._error
        return 130 if self._interrupted else 0

    def _stop_on_signals(self, receiving: asyncio.Task[None]) -> None:
        """First Ctrl-C or SIGTERM: finish with what was received. Second: give up at once."""
        whole = asyncio.current_task()
        assert whole is not None

        def handle() -> None:
            if self._interrupted:
                whole.cancel()
            self._interrupted = True
            receiving.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, handle)

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        hello: Hello | None = None
        try:
            async with contextlib.aclosing(self._client.messages()) as messages:
                async for received in messages:
                    if isinstance(received, Hello):
                        hello = received
                    if not isinstance(received, dict):
                        await self._sound.send((received, loop.time()))
                    elif hello is not None and self._captions is not None:
                        self._captions.show(received, hello)
        except ListenError as error:
            self._error = error  # what was received before is finished first
        finally:
            self._sound.close()

    async def _write(self, worker: Worker) -> None:
        with contextlib.suppress(OutputGone):
            async for received, arrived in self._sound:
                await worker.run(partial(self._take, received, arrived))

    def _take(self, received: Hello | Frame, arrived: float) -> None:
        if isinstance(received, Hello):
            if self._timeline is None:
                self._timeline = Timeline(received)
                self._open(received)
            self._timeline.reconnected(received)
        elif self._timeline is not None and self._outputs:
            for samples in self._timeline.add(received, arrived):
                self._put(samples)

    def _put(self, samples: Samples) -> None:
        for output in list(self._outputs):
            try:
                output.write(samples)
            except OutputGone as gone:
                output.close()
                self._outputs.remove(output)
                if not self._outputs:
                    raise ListenError(str(gone)) from None if str(gone) else gone
                if str(gone):
                    self._tell(f"{gone}.")

    def _open(self, hello: Hello) -> None:
        if self._options.out == "-":
            self._outputs.append(PipeOutput(sys.stdout.buffer))
        elif self._options.out is not None:
            self._outputs.append(FileOutput(Path(self._options.out), hello))
        if self._options.play:
            self._outputs.append(PlayerOutput(hello))

    def _close(self) -> None:
        for output in self._outputs:
            output.close()

    def _discard(self) -> None:
        for output in self._outputs:
            output.discard()


class _Captions:
    """Prints what is said and what it becomes, as it is known."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: OrderedDict[tuple[object, ...], None] = OrderedDict()

    def show(self, event: dict[str, Any], hello: Hello) -> None:
        match event:
            case {
                "type": "event",
                "kind": "transcript" | "translation" as kind,
                "track": str(track),
                "utterance": int(utterance),
                "start": int(start),
                "text": str(text),
            }:
                language = hello.language if kind == "transcript" else track
            case _:
                return
        key = (hello.feed, kind, track, utterance, text)
        if key in self._shown:
            return
        self._shown[key] = None
        if len(self._shown) > REMEMBERED_CAPTIONS:
            self._shown.popitem(last=False)
        style = "" if kind == "transcript" else "bold"
        # The text comes from elsewhere: it must not steer the terminal.
        printable = "".join(c if c.isprintable() else " " for c in f"{language:2}  {text}")
        line = Text.assemble((f"{_clock(start)}  ", "dim"), (printable, style))
        self._console.print(line, highlight=False, soft_wrap=True)


def _clock(time: int) -> str:
    minutes, seconds = divmod(time // TICK_RATE, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
