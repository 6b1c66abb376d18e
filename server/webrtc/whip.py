"""WHIP: a publisher by WebRTC (RFC 9725) as a live source."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Collection
from functools import partial

from aiortc import RTCIceServer

from server.webrtc.peer import Peer, UnsupportedOfferError, prefer
from server.webrtc.rtp_clock import Alignment
from server.webrtc.rtp_order import Lost
from server.webrtc.rtp_pictures import CodedPicture, PictureAssembler, vp8_size
from server.webrtc.rtp_receive import Reception
from server.webrtc.whip_sound import SoundDecoder
from stream.flow.worker import Worker
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.connection import ConnectionStatus, LiveBatch
from stream.media.annexb import AnnexB
from stream.media.pictures import coded_size
from stream.timeline import TICK_RATE

SOUND_WAIT_S = 0.12
"""Seconds to wait for a missing packet of sound, which is not requested again."""

PICTURE_WAIT_S = 0.5
"""Seconds to wait for a missing packet of picture, which is requested again."""

SOUND_HELD, PICTURE_HELD = 1000, 8192
"""Packets held while nobody reads: some 20 s of sound, 10 MB of picture."""

REPORTS_WAIT_S = 1.0
"""Seconds that the first pictures wait for sender reports before they are placed by arrival."""

FEEDBACK_INTERVAL_S = 0.1
"""Seconds between checks for what to request."""

QUIET_PASSES = 5
"""Event-loop passes without a packet after which none is left in a socket; the way from there to
here takes three."""

MAX_BACKLOG = 1000
"""More packets than the sockets' buffers hold: any beyond them arrived later."""

KEYFRAME_REQUEST_INTERVAL_S = 0.5
"""Seconds between requests for a keyframe."""


class WhipSource(Peer):
    """A publisher, and its stay as a ``Connection``; made by :func:`publish`."""

    def __init__(self, ice_servers: Collection[RTCIceServer]) -> None:
        super().__init__(ice_servers)
        self.ended = asyncio.Event()
        """Set when the publisher has gone; what it sent can still be read."""
        self._changed = asyncio.Event()
        self._sound: Reception | None = None
        self._picture: Reception | None = None
        self._align: Alignment | None = None
        self._decoder = SoundDecoder()
        self._assembler = PictureAssembler()
        self._worker = Worker("whip")
        self._feedback: asyncio.Task[None] | None = None
        self._format: PictureFormat | None = None
        self._annexb = AnnexB("h264")
        self._last = -1
        self._began: float | None = None

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus("whip", self.concealed)

    @property
    def concealed(self) -> int:
        """Ticks of sound concealed so far for lost packets."""
        return self._decoder.concealed

    async def start(self, offer_sdp: str) -> None:
        """Answer the offer."""
        offer = await self.read(offer_sdp)
        for kind, direction in offer.direction.items():
            if direction not in ("sendonly", "sendrecv"):
                raise UnsupportedOfferError(
                    f"a publisher's {kind} section must be sendonly, not {direction}"
                )
        if "audio" not in offer.codecs:
            raise UnsupportedOfferError("the offer has no sound: there is nothing to dub")
        if "OPUS" not in offer.codecs["audio"]:
            raise UnsupportedOfferError("the offer has sound, but not as Opus")
        audio = self.connection.addTransceiver("audio", direction="recvonly")
        prefer(audio, ("OPUS",))
        video = None
        if "video" in offer.codecs:
            if not (offer.h264 or "VP8" in offer.codecs["video"]):
                raise UnsupportedOfferError("the picture is offered neither as H.264 nor as VP8")
            video = self.connection.addTransceiver("video", direction="recvonly")
            prefer(video, ("H264", "VP8"))
        await self.negotiate(offer, offer.h264)
        self._sound = Reception(
            audio,
            wait=SOUND_WAIT_S,
            capacity=SOUND_HELD,
            changed=self._changed.set,
            switched=self._realign,
        )
        if video is not None:
            self._picture = Reception(
                video,
                wait=PICTURE_WAIT_S,
                capacity=PICTURE_HELD,
                changed=self._changed.set,
                switched=self._begin_picture,
            )
            self._align = Alignment(self._sound.clock, self._picture.clock)
        self._feedback = asyncio.create_task(self._give_feedback())

    def _realign(self) -> None:
        if self._align is not None and self._sound is not None and self._picture is not None:
            self._align.use(self._sound.clock, self._picture.clock)

    def _begin_picture(self) -> None:
        """Another layer comes from now on, with a keyframe."""
        self._assembler = PictureAssembler()
        self._realign()

    async def released(self) -> None:
        """End what served the publisher; :meth:`batches` ends after what it still holds."""
        if self._feedback is not None:
            self._feedback.cancel()
            await asyncio.wait([self._feedback])
        self.ended.set()
        self._changed.set()

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """What the publisher sends, as it arrives; ends when the publisher has gone.

        Sound is stereo at 48 kHz from 0 on, without gaps but where it was away for long.
        Pictures are coded as they were sent and on the sound's timeline, beginning with a
        keyframe; each kind is in order. To be iterated once.
        """
        try:
            while True:
                over = self.ended.is_set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._deadline()):
                        await self._changed.wait()
                now = math.inf if over else await self._caught_up()
                self._changed.clear()
                batch = [*await self._decoded(now), *await self._pictures(now)]
                if batch:
                    yield batch
                elif over:
                    return
        finally:
            await self._worker.aclose()

    def _deadline(self) -> float | None:
        """When the next gap is given up, if there is one."""
        if self.ended.is_set():
            return 0.0
        streams = [self._sound, self._picture if self._can_place() else None]
        deadlines = [stream.order.deadline() for stream in streams if stream is not None]
        return min((time for time in deadlines if time is not None), default=None)

    async def _caught_up(self) -> float:
        """The time now; before a gap is given up, everything that has arrived is taken first.

        A pass of the event loop reads one datagram and runs every timer that is due: after this
        process has stalled, packets that arrived in time would be behind the timer.
        """
        now, quiet, most = self._now(), 0, self._arrived + MAX_BACKLOG
        while quiet < QUIET_PASSES and self._arrived < most:
            deadline = self._deadline()
            if deadline is None or deadline > now:
                break
            before = self._arrived
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._arrived == before else 0
        return now

    @property
    def _arrived(self) -> int:
        """Packets so far."""
        return sum(stream.received for stream in (self._sound, self._picture) if stream is not None)

    async def _decoded(self, now: float) -> list[AudioChunk | PicturePacket]:
        if self._sound is None:
            return []
        packets = [
            (item.time, item.packet.payload)
            for item in self._sound.order.ready(now)
            if not isinstance(item, Lost) and item.packet.payload
        ]
        if not packets:
            return []
        return [*await self._worker.run(partial(self._decoder.decode, packets))]

    async def _pictures(self, now: float) -> list[PicturePacket]:
        if self._picture is None or not self._can_place():
            return []
        shown = []
        for item in self._picture.order.ready(now):
            if isinstance(item, Lost):
                self._assembler.lost(item)
            elif (picture := self._assembler.add(item.packet, item.codec)) is not None:
                packet = await self._placed(picture, item.time)
                if packet is None:
                    self._assembler.waiting = True
                else:
                    shown.append(packet)
        return shown

    def _can_place(self) -> bool:
        """Whether it is known, or no longer waited for, how the clocks relate."""
        if self._align is None or self._decoder.origin is None:
            return False
        if self._began is None:
            self._began = self._now()
        return self._align.aligned or self._now() - self._began > REPORTS_WAIT_S

    async def _placed(self, picture: CodedPicture, time: int) -> PicturePacket | None:
        """The picture on the sound's timeline, unless there is no sound yet."""
        assert self._align is not None
        at = self._align.place(time)
        if at is None or self._decoder.origin is None:
            return None
        data = picture.data
        if picture.codec == "h264":
            data = self._annexb.convert(data, key=picture.key)
        if picture.key:
            await self._look(picture.codec, data)
        if self._format is None or not data:
            return None
        time = at - self._decoder.origin
        if time < max(0, self._last) - TICK_RATE:
            return None  # a clock was set back
        self._last = max(time, self._last + 1)
        return PicturePacket(self._format, self._last, self._last, picture.key, data)

    async def _look(self, codec: str, keyframe: bytes) -> None:
        """Note how a keyframe is coded, and decode its size where that may have changed."""
        if codec == "vp8":
            self._format = PictureFormat("vp8", b"", *vp8_size(keyframe))
            return
        sets = self._annexb.sets
        if self._format is not None and self._format.extradata == sets:
            return
        size = await self._worker.run(partial(coded_size, codec, keyframe))
        if size is not None:
            self._format = PictureFormat(codec, sets, *size)

    async def _give_feedback(self) -> None:
        asked = -KEYFRAME_REQUEST_INTERVAL_S
        while True:
            await asyncio.sleep(FEEDBACK_INTERVAL_S)
            for stream in (self._sound, self._picture):
                if stream is not None:
                    await stream.feedback()
            due = self._assembler.waiting and self._now() - asked >= KEYFRAME_REQUEST_INTERVAL_S
            if self._picture is not None and due:
                asked = self._now()
                await self._picture.request_keyframe()
            if self._sound is not None and self._sound.said_goodbye:
                self.end()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def publish(offer_sdp: str, *, ice_servers: Collection[RTCIceServer] = ()) -> WhipSource:
    """Receive from the peer who made the offer.

    Args:
        offer_sdp: with or without candidates; the answer has all of ours.
        ice_servers: STUN or TURN servers, if we are not to be reached directly.

    Raises:
        OfferError: if the offer is malformed.
        UnsupportedOfferError: if it has no Opus, or a picture that is neither H.264 nor VP8.
    """
    source = WhipSource(ice_servers)
    try:
        await source.start(offer_sdp)
    except BaseException:
        await source.aclose()
        raise
    return source
