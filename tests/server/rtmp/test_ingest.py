"""Publishers that are hostile, slow or broken, as far as the socket."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from server.rtmp.byte_pipe import BytePipe
from server.rtmp.ingest import RtmpOptions
from stream.flow.worker import Worker
from tests.helpers.rtmp_peer import AUDIO, HELLO, Chunker, Sent, control, introduction
from tests.helpers.rtmp_station import (
    run,
    serving,
    station,
    until,
)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What the server said until it hung up."""
    said = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := await reader.read(1 << 16):
            said += data
    return bytes(said)


def stand_still(seconds: float) -> None:
    """What SIGSTOP or a suspended machine does to the event loop."""
    time.sleep(seconds)


def sound(time: int) -> Sent:
    return Sent(6, AUDIO, 1, time, b"\xaf\x01" + bytes(100))


def test_a_peer_that_shakes_hands_byte_by_byte_is_dropped() -> None:
    async def check() -> None:
        async with station(RtmpOptions(handshake=0.3)) as opened:
            reader, writer = await opened.peers.connect()
            gone = asyncio.create_task(closed(reader))
            sent = 0
            while not gone.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(HELLO[sent : sent + 1])
                    await writer.drain()
                sent += 1
                await asyncio.sleep(0.01)
            assert 5 < sent < 300
            assert opened.received == {}

    run(check())


def test_a_peer_that_never_publishes_is_dropped() -> None:
    async def check() -> None:
        async with station(RtmpOptions(publish=0.3)) as opened:
            reader, writer = await opened.peers.connect()
            writer.write(HELLO + Chunker().bytes(*introduction()[:2]))
            assert len(await closed(reader)) > 3073

    run(check())


def test_a_publisher_that_sends_no_media_is_dropped_though_it_pings() -> None:
    async def check() -> None:
        async with station(RtmpOptions(idle=0.3)) as opened:
            chunker = Chunker()
            reader, writer = await opened.peers.publish("good", chunker)
            gone = asyncio.create_task(closed(reader))
            while not gone.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(chunker.bytes(control(4, b"\x00\x06" + bytes(4))))
                await asyncio.sleep(0.02)
            await until(lambda: opened.received["good"][0].ended == 1)

    run(check())


def test_a_publisher_outlives_a_stop_of_this_process() -> None:
    """Its media waits in the kernel, but the deadline is over before anybody could read it."""

    async def check() -> None:
        async with station(RtmpOptions(idle=1.0)) as opened:
            chunker = Chunker()
            _, writer = await opened.peers.publish("good", chunker)
            writer.write(chunker.bytes(sound(0)))
            await until(lambda: "good" in opened.received)
            await asyncio.sleep(0.1)
            writer.write(chunker.bytes(sound(23)))
            stand_still(1.1)
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert opened.ingest.publishers == 1 and opened.received["good"][0].ended == 0

    run(check())


def test_another_publisher_takes_over_from_one_that_fell_silent() -> None:
    async def check() -> None:
        async with station(RtmpOptions(silent=0.3)) as opened:
            chunker = Chunker()
            reader, writer = await opened.peers.publish("good", chunker)
            writer.write(chunker.bytes(sound(0)))
            await until(lambda: "good" in opened.received)
            await asyncio.sleep(0.4)
            others = [await opened.peers.publish("good", Chunker()) for _ in range(3)]
            await until(lambda: len(opened.received["good"]) == 2)
            first, second = opened.received["good"]
            assert (first.ended, second.ended) == (1, 0)
            assert opened.ingest.publishers == 1
            await closed(reader)
            refused = [asyncio.create_task(closed(r)) for r, _ in others]
            done, waiting = await asyncio.wait(refused, timeout=1.5)
            assert len(waiting) == 1
            assert all(b"being published already" in task.result() for task in done)
            await opened.peers.aclose()
            await asyncio.wait(waiting)

    run(check())


def test_who_comes_back_at_once_waits_for_its_own_end() -> None:
    class Slow:
        """Takes a while to end, as a session may."""

        ended = False

        async def write(self, flv: bytes) -> None:
            assert not self.ended

        async def end(self) -> None:
            await asyncio.sleep(0.3)
            self.ended = True

    async def check() -> None:
        let_in: list[Slow] = []

        async def authorise(app: str, key: str) -> Slow:
            assert all(publication.ended for publication in let_in)
            let_in.append(Slow())
            return let_in[-1]

        async with serving(authorise, RtmpOptions(silent=0.05)) as (ingest, peers):
            _, writer = await peers.publish("good", Chunker())
            await until(lambda: ingest.publishers == 1)
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.1)
            await peers.publish("good", Chunker())
            await until(lambda: len(let_in) == 2)
        assert all(publication.ended for publication in let_in)

    run(check())


def test_who_shows_no_key_makes_way() -> None:
    async def check() -> None:
        async with station(RtmpOptions(connections=2)) as opened:
            peers = [await opened.peers.connect() for _ in range(2)]
            await asyncio.sleep(0.05)
            reader, _ = await opened.peers.publish("good", Chunker())
            assert await closed(peers[0][0]) == b""
            assert len(await reader.readexactly(3073)) == 3073

    run(check())


def test_a_slow_reader_holds_up_the_publisher_and_no_memory_is_taken() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=100_000)

        async def authorise(app: str, key: str) -> BytePipe:
            return pipe

        async def send(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            for index in range(total):
                writer.write(chunker.bytes(Sent(6, 9, 1, index, bytes(50_000))))
                await writer.drain()
                sent += 1

        def drain() -> None:
            nonlocal got
            while data := pipe.read(1 << 16):
                got += len(data)

        chunker = Chunker()
        total, sent, got = 400, 0, 0
        worker = Worker("reader")
        async with serving(authorise) as (_, peers):
            reader, writer = await peers.publish("good", chunker)
            # Hanging up with acknowledgements unread would lose what is under way.
            reading_replies = asyncio.create_task(closed(reader))
            writer.write(chunker.bytes(control(1, (1 << 16).to_bytes(4, "big"))))
            chunker.size = 1 << 16
            sending = asyncio.create_task(send(writer))
            await asyncio.sleep(0.5)
            held = sent
            assert held < total
            assert len(pipe) <= 100_000 + (64 << 10)
            await asyncio.sleep(0.2)
            assert sent == held
            reading = asyncio.create_task(worker.run(drain))
            await sending
            writer.write_eof()
            await reading
            await reading_replies
            await worker.aclose()
        assert got == 13 + total * 50_015

    run(check())


@pytest.mark.parametrize("fault", [BrokenPipeError("not wanted"), RuntimeError("a bug")])
def test_a_publication_that_fails_is_ended_and_others_go_on(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        ended = 0

        async def write(self, flv: bytes) -> None:
            raise fault

        async def end(self) -> None:
            self.ended += 1

    async def check() -> None:
        publication = Failing()

        async def authorise(app: str, key: str) -> Failing:
            if key == "unlucky":
                raise fault
            return publication

        async with serving(authorise) as (ingest, peers):
            for number, key in enumerate(("good", "unlucky", "good")):
                reader, _ = await peers.publish(key, Chunker())
                await closed(reader)
                await until(lambda: ingest.publishers == 0)
                assert publication.ended == (1, 1, 2)[number]

    run(check())
    told = [record.levelname for record in caplog.records if record.name == "server.rtmp.ingest"]
    assert ("ERROR" in told) == isinstance(fault, RuntimeError)


def test_closing_the_server_ends_every_publication() -> None:
    async def check() -> None:
        async with station() as opened:
            reader, _ = await opened.peers.publish("good", Chunker())
            await opened.peers.publish("good2", Chunker())
            idle_reader, _ = await opened.peers.connect()
            await until(lambda: len(opened.received) == 2)
            await opened.ingest.aclose()
            await opened.ingest.aclose()
            assert opened.received["good"][0].ended == 1
            await closed(reader)
            await closed(idle_reader)
            with pytest.raises(OSError):
                await opened.peers.connect()

    run(check())


def test_what_is_not_rtmp_is_hung_up_on() -> None:
    async def check() -> None:
        async with station() as opened:
            reader, writer = await opened.peers.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert await closed(reader) == b""

    run(check())
