import asyncio
import contextlib

import av
import numpy as np
import pytest

from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from stream.live.feed import Event
from stream.timeline import FRAME, TICK_RATE
from tests.helpers.bare_feed import bare_feed, play
from tests.helpers.feeds import file_feed
from tests.helpers.ws_air import closed, on_air
from tests.helpers.ws_server import listening, serving


@pytest.mark.parametrize("format_", ["pcm_s16le", "pcm_f32le"])
async def test_samples_arrive_unchanged_at_their_times(spoken, format_: str) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken

    async with (
        on_air(path, speed=2) as (url, _, _),
        listening(url, f"track=pt&format={format_}") as heard,
    ):
        assert heard.hello["tracks"] == ["original", "pt"]
        assert heard.client.subprotocol == "livedub.v1"
        await heard.all()
        first = heard.frames[0]
        assert first.discontinuity and first.track == 1 and first.time is not None
        at = first.time
        for frame in heard.frames:
            assert frame.time == at
            at += frame.samples
        assert not any(frame.discontinuity for frame in heard.frames[1:])
        assert at == len(samples)
        assert np.abs(heard.pcm() + samples[first.time :]).max() <= 1 / 32768
        assert heard.client.close_code == 1000
        assert heard.messages[-1] == {"type": "end", "position": at}


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (16_000, 2), (16_000, 1)])
async def test_other_rates_and_channels_keep_their_times(spoken, rate: int, channels: int) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken
    step = TICK_RATE // rate

    query = f"track=original&rate={rate}&channels={channels}&format=pcm_f32le"
    async with on_air(path, speed=2) as (url, _, _), listening(url, query) as heard:
        await heard.all()
        start = heard.frames[0].time
        assert start is not None and start % FRAME == 0
        assert [f.time for f in heard.frames] == list(range(start, len(samples), FRAME))
        wanted = samples if channels == 2 else samples.mean(axis=1, keepdims=True)
        error = heard.pcm() - wanted[start::step]
        # The sweep stays below the new Nyquist frequency; edges ring.
        assert np.abs(error[200:-200]).max() < 0.01


async def test_opus_decodes_to_the_same_sound_at_the_same_times(spoken) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken

    query = "track=original&format=opus"
    async with on_air(path, speed=2) as (url, _, _), listening(url, query) as heard:
        await heard.all()
        decoder = av.CodecContext.create("opus", "r")
        decoder.sample_rate, decoder.layout = TICK_RATE, "stereo"
        sound = np.concatenate(
            [
                decoded.to_ndarray().T[: frame.samples]
                for frame in heard.frames
                for decoded in decoder.decode(av.Packet(frame.payload))
            ]
        )
        start = heard.frames[0].time
        assert start is not None and start % FRAME == FRAME - 312  # libopus looks ahead
        assert start + len(sound) == len(samples)
        wanted = samples[start + 4000 :]
        error = np.sqrt(np.mean((sound[4000:] - wanted) ** 2))
        assert error < 0.1 * np.sqrt(np.mean(wanted**2))


async def test_events_come_with_their_times_to_those_who_want_them(spoken) -> None:  # type: ignore[no-untyped-def]
    path, _ = spoken

    async with (
        on_air(path, speed=2) as (url, _, _),
        listening(url, "events=false") as quiet,
        listening(url) as heard,
    ):
        await asyncio.gather(heard.all(), quiet.all())
        transcripts = [e for e in heard.of("event") if e["kind"] == "transcript"]
        assert transcripts[0] == {
            "type": "event",
            "kind": "transcript",
            "track": "original",
            "utterance": 0,
            "start": 0,
            "end": TICK_RATE,
            "text": "second 0",
        }
        assert not quiet.of("event")


async def test_who_joins_later_learns_of_what_has_not_ended_yet(spoken) -> None:  # type: ignore[no-untyped-def]
    async with on_air(spoken[0]) as (url, _, feed):
        async with listening(url) as early:
            await early.frame()
            for utterance, end in ((50, 10), (51, 90 * TICK_RATE)):
                feed.events.publish(Event("transcript", "original", utterance, 0, end, "x"))
            await asyncio.sleep(0.2)
        async with listening(url) as late:
            await late.frame()
        assert [event["utterance"] for event in late.of("event")] == [51]


async def test_switching_tracks_loses_no_sample(spoken) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken

    async with on_air(path) as (url, _, _), listening(url, "track=pt") as heard:
        for track in ("original", "pt", "original"):
            for _ in range(15):
                await heard.frame()
            await heard.client.send(f'{{"type":"track","track":"{track}"}}')
        await heard.all()
        at = start = heard.frames[0].time
        assert at is not None and start is not None
        for frame in heard.frames:
            assert frame.time == at
            at += frame.samples
        assert [m["track"] for m in heard.of("track")] == ["original", "pt", "original"]
        sign = np.repeat([1 if f.track == 0 else -1 for f in heard.frames], FRAME)
        assert {f.track for f in heard.frames} == {0, 1}
        wanted = samples[start:] * sign[: len(samples) - start, None]
        assert np.abs(heard.pcm() - wanted).max() <= 1 / 32768


async def test_fifty_listeners_share_one_encoder() -> None:
    async with bare_feed() as feed, contextlib.AsyncExitStack() as stack:
        programmes = Programmes({"live": feed}.__getitem__)
        stack.push_async_callback(programmes.aclose)
        url = await stack.enter_async_context(serving(listen_router(programmes, Gate())))
        crowd = [await stack.enter_async_context(listening(url, "format=opus")) for _ in range(50)]
        assert programmes.find("live").renditions == 1
        assert feed.tracks["pt"].readers == 1
        hearing = asyncio.gather(*(heard.all() for heard in crowd))
        await play(feed, [], 0, 2)
        feed.close()
        await hearing
        by_time: dict[int | None, set[bytes]] = {}
        for heard in crowd:
            assert heard.client.close_code == 1000
            assert heard.frames
            for frame in heard.frames:
                by_time.setdefault(frame.time, set()).add(frame.payload)
        assert all(len(payloads) == 1 for payloads in by_time.values())


async def test_coming_back_loses_nothing(spoken) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken

    async with on_air(path) as (url, _, _):
        async with listening(url) as before:
            for _ in range(20):
                await before.frame()
        last = before.frames[-1]
        assert last.time is not None
        await asyncio.sleep(0.5)
        place = f"from={last.time + FRAME}&feed={before.hello['feed']}"
        async with listening(url, place) as after:
            await after.all()
        assert after.frames[0].time == last.time + FRAME
        assert not after.frames[0].discontinuity
        assert not after.of("gap")
        whole = np.concatenate([before.pcm(), after.pcm()])
        start = before.frames[0].time
        assert start is not None
        assert np.abs(whole + samples[start:]).max() <= 1 / 32768


async def test_coming_back_too_late_is_told_what_is_missing(spoken) -> None:  # type: ignore[no-untyped-def]
    path, _ = spoken

    async with on_air(path) as (url, programmes, _):
        await asyncio.sleep(0.8)
        feed = programmes.find("live").id
        async with listening(url, f"from=960&feed={feed}") as heard:
            frame = await heard.frame()
            assert frame.discontinuity
            assert heard.of("gap") == [{"type": "gap", "start": 960, "end": frame.time}]
        async with listening(url, "from=960&feed=another") as heard:
            await heard.frame()
            assert not heard.of("gap")  # the time belongs to another feed
        async with listening(url, f"from=99999999&feed={feed}") as heard:
            assert (await heard.frame()).discontinuity  # nobody has been there


async def test_the_server_going_away_is_not_the_end(spoken) -> None:  # type: ignore[no-untyped-def]
    async with on_air(spoken[0]) as (url, programmes, _), listening(url) as heard:
        await heard.frame()
        await programmes.aclose()
        await heard.all()
        assert heard.client.close_code == 1001
        assert not heard.of("end")
        assert (await closed(f"{url}/sessions/live/listen"))[0] == 1001


async def test_an_encoder_stops_a_while_after_its_last_listener(spoken) -> None:  # type: ignore[no-untyped-def]
    async with file_feed(spoken[0]) as feed:
        programmes = Programmes({"live": feed}.__getitem__, history=0.3)
        async with serving(listen_router(programmes, Gate())) as url:
            async with listening(url) as heard:
                await heard.frame()
            assert feed.tracks["pt"].readers == 1
            await asyncio.sleep(0.6)
            assert feed.tracks["pt"].readers == 0
            assert programmes.find("live").renditions == 0
        await programmes.aclose()
        assert feed.events.readers == 0


async def test_events_alone_come_without_any_encoder(spoken) -> None:  # type: ignore[no-untyped-def]
    async with (
        on_air(spoken[0]) as (url, programmes, feed),
        listening(url, "format=none") as heard,
    ):
        assert heard.hello["format"] == "none" and heard.hello["tracks"] == ["original", "pt"]
        assert programmes.find("live").renditions == 0
        assert not any(sound.readers for sound in feed.sounds.values())
        await heard.all()
        assert not heard.frames
        texts = {event["text"] for event in heard.of("event") if "text" in event}
        assert {"second 0", "segundo 0"} <= texts
        times = [message["position"] for message in heard.of("time")]
        assert times and times == sorted(times) and times[0] > heard.hello["position"]
        assert heard.messages[-1]["type"] == "end"
        assert heard.messages[-1]["position"] >= times[-1]
        assert heard.client.close_code == 1000


async def test_the_voice_alone_can_be_listened_to(spoken) -> None:  # type: ignore[no-untyped-def]
    path, samples = spoken

    async with on_air(path) as (url, _, _), listening(url, "track=pt.voice") as heard:
        assert heard.hello["voices"] == ["pt.voice"]
        assert heard.hello["tracks"] == ["original", "pt"]  # as if there were none
        for _ in range(10):
            await heard.frame()
        await heard.client.send('{"type":"track","track":"pt"}')
        await heard.all()
        start, tracks = heard.frames[0].time, [frame.track for frame in heard.frames]
        assert start is not None and sorted(set(tracks)) == [1, 2] and tracks[0] == 2
        gain = np.repeat([-0.5 if track == 2 else -1.0 for track in tracks], FRAME)
        wanted = samples[start:] * gain[: len(samples) - start, None]
        assert np.abs(heard.pcm() - wanted).max() <= 1 / 32768
