"""Publishers by SRT: a real FFmpeg calls a real listener."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

import server.srt.ingest
from server.access import Choose, whichever
from server.problems import Problem
from server.srt.connection import SrtConnection
from server.srt.ingest import SrtIngest
from server.srt.library import SrtError
from server.srt.options import SrtOptions
from stream.frames import AudioChunk, PicturePacket
from stream.live.connection import Connection
from stream.live.link import Link
from stream.media.options import ANY
from tests.helpers.srt_peer import losing, needs_srt, publishing
from tests.helpers.streams import ffmpeg, small_source

pytestmark = needs_srt

KEY = "a-publishers-key"
PASSPHRASE = "a-good-long-passphrase"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("clip") / "clip.mp4", length=2)


class Studio:
    """Takes one publisher at a time and notes what comes."""

    def __init__(self) -> None:
        self.sound: list[AudioChunk] = []
        self.pictures: list[PicturePacket] = []
        self.links: list[Link] = []
        self.stays = 0
        self.busy = False
        self.reading: list[asyncio.Task[None]] = []

    def find(self, key: str) -> str | None:
        return "ferry" if key == KEY else None

    async def admit(self, session: str, connection: Connection) -> None:
        assert session == "ferry" and isinstance(connection, SrtConnection)
        if self.busy:
            raise Problem(409, "session 'ferry' has a publisher already")
        self.busy = True
        self.reading.append(asyncio.create_task(self._read(connection)))

    async def _read(self, connection: SrtConnection) -> None:
        try:
            async for batch in connection.batches():
                self.sound += [item for item in batch if isinstance(item, AudioChunk)]
                self.pictures += [item for item in batch if isinstance(item, PicturePacket)]
                if (link := connection.status().link) is not None:
                    self.links.append(link)
        finally:
            await connection.aclose()
            self.busy = False
            self.stays += 1

    async def over(self, stays: int) -> None:
        async with asyncio.timeout(20):
            while self.stays < stays:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(
    options: SrtOptions | None = None, choose: Choose = whichever
) -> AsyncIterator[tuple[SrtIngest, Studio]]:
    studio = Studio()
    ingest = SrtIngest("127.0.0.1", 0, studio.find, studio.admit, options, choose=choose)
    await ingest.start()
    try:
        yield ingest, studio
    finally:
        await ingest.aclose()
        await asyncio.gather(*studio.reading)


async def refused(clip: Path, url: str) -> None:
    with publishing(clip, url) as publisher:
        code = await asyncio.to_thread(publisher.wait, 20)
        assert code != 0


async def test_a_publisher_on_a_network_that_loses_packets(clip: Path) -> None:
    async with (
        serving(SrtOptions(passphrase=PASSPHRASE)) as (ingest, studio),
        losing(ingest.port, every=10) as port,
    ):
        url = f"srt://127.0.0.1:{port}?streamid={KEY}&passphrase={PASSPHRASE}"
        with publishing(clip, url) as publisher:
            assert await asyncio.to_thread(publisher.wait, 20) == 0
        await studio.over(1)
    assert studio.sound[0].start == 0 and studio.sound[-1].end > 1.5 * 48_000
    for before, after in zip(studio.sound, studio.sound[1:], strict=False):
        assert before.end == after.start
    # B-frames and all: what was lost was sent again in time.
    assert len(studio.pictures) >= 40 and studio.pictures[0].key
    link = studio.links[-1]
    assert link.lost > 0 and link.dropped == 0
    assert link.rtt is not None and 0 < link.rtt < 0.5


async def test_who_has_no_key_is_refused_without_a_connection(
    clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(SrtOptions(passphrase=PASSPHRASE)) as (ingest, studio):
        url = f"srt://127.0.0.1:{ingest.port}?streamid="
        secret = f"&passphrase={PASSPHRASE}"
        await refused(clip, f"{url}a-guess{secret}")
        await refused(clip, f"{url}{quote('#!::m=publish,r=a-guess')}{secret}")
        await refused(clip, f"{url}{KEY}&passphrase=not-the-passphrase")
        await refused(clip, f"{url}{KEY}")
    assert studio.stays == 0 and not studio.busy
    (line,) = (record.getMessage() for record in caplog.records)  # fail2ban's, said once
    assert line == "from 127.0.0.1: a wrong key or token was shown to SRT"


async def test_one_who_is_not_let_in_is_sent_away(clip: Path) -> None:
    async with serving() as (ingest, studio):
        studio.busy = True
        await refused(clip, f"srt://127.0.0.1:{ingest.port}?streamid={KEY}")
        studio.busy = False
        with publishing(clip, f"srt://127.0.0.1:{ingest.port}?streamid={KEY}") as publisher:
            assert await asyncio.to_thread(publisher.wait, 20) == 0
        await studio.over(1)
    assert studio.pictures


async def test_a_process_that_falls_is_started_again(
    clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server.srt.ingest, "FIRST_PAUSE_S", 0.05)
    async with serving() as (ingest, studio):
        url = f"srt://127.0.0.1:{ingest.port}?streamid={KEY}"
        with publishing(clip, url):
            async with asyncio.timeout(20):
                while not studio.pictures:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert ingest.pid is not None
            os.kill(ingest.pid, signal.SIGKILL)
            await studio.over(1)
        fallen, ingest_pid = ingest.pid, ingest.pid
        async with asyncio.timeout(20):
            while ingest_pid in (None, fallen):
                await asyncio.sleep(0.05)
                ingest_pid = ingest.pid
        with publishing(clip, url) as publisher:
            assert await asyncio.to_thread(publisher.wait, 20) == 0
        await studio.over(2)
    assert "the process for SRT has ended" in caplog.text


async def test_the_sound_of_the_sessions_language_is_dubbed(clip: Path, tmp_path: Path) -> None:
    several = tmp_path / "several.ts"
    ffmpeg(
        "-i", clip, "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-map", "0:v", "-map", "1:a",
        "-map", "0:a", "-c:v", "copy", "-c:a", "aac", "-metadata:s:a:0", "language=por",
        "-metadata:s:a:1", "language=eng", "-t", "2", several,
    )  # fmt: skip
    async with serving(choose=lambda session: (ANY, "en")) as (ingest, studio):
        with publishing(several, f"srt://127.0.0.1:{ingest.port}?streamid={KEY}") as publisher:
            assert await asyncio.to_thread(publisher.wait, 20) == 0
        await studio.over(1)
    loudest = max(float(abs(block.samples).max()) for block in studio.sound)
    assert loudest > 0.2, "the other one is silent"


async def test_the_command_line_tells_nothing(clip: Path) -> None:
    async with serving(SrtOptions(passphrase=PASSPHRASE)) as (ingest, _):
        for what in ("cmdline", "environ"):
            shown = Path(f"/proc/{ingest.pid}/{what}").read_bytes()
            assert PASSPHRASE.encode() not in shown


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    async with serving() as (ingest, studio):
        again = SrtIngest("127.0.0.1", ingest.port, studio.find, studio.admit)
        with pytest.raises(SrtError, match=f"cannot listen on 127.0.0.1 port {ingest.port}"):
            await again.start()
