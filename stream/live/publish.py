"""The blocks of one lane, published to the feed as whole frames at their times."""

from __future__ import annotations

from collections import deque

import numpy as np

from stream.clock.playout_clock import PlayoutClock
from stream.dub.playout import Block
from stream.frames import AudioChunk, PicturePacket
from stream.live.feed import ORIGINAL, Feed, voice_of
from stream.sound.mix import add_dub
from stream.timeline import FRAME


class LanePublisher:
    """Blocks of one lane's playout, published as whole frames at their times.

    The mix is behind bed and dub by the limiter's latency, and playout runs a frame early to make
    up for it; everything is published with the frame of the mix that it belongs to.
    """

    def __init__(self, feed: Feed, track: str, *, carries_picture: bool, clock: PlayoutClock):
        self._feed = feed
        self._mix = feed.tracks[track]
        self._voice = feed.voices[voice_of(track)]
        self._original = feed.tracks[ORIGINAL] if carries_picture else None
        self._clock = clock
        self._position = 0
        self._pending = np.zeros((0, feed.channels), np.float32)
        self._bed = self._pending
        self._dub = self._pending[:, 0]
        self._packets: deque[PicturePacket] = deque()

    async def emit(self, block: Block) -> None:
        """Take what playout has made."""
        self._pending = np.concatenate([self._pending, block.audio])
        self._dub = np.concatenate([self._dub, block.dub])
        if self._original is not None:
            self._bed = np.concatenate([self._bed, block.bed])
            self._packets.extend(p for p in block.packets if isinstance(p, PicturePacket))
            self._clock.may_hurry = not block.dub.any()
        while len(self._pending) >= FRAME:
            self._publish(FRAME)
        if not len(block.bed):  # what the limiter held back at the end
            self._publish(len(self._pending))

    def _publish(self, length: int) -> None:
        start = self._position
        self._position += length
        if length:
            self._mix.publish(AudioChunk(start, self._pending[:length]))
            self._pending = self._pending[length:]
            if self._voice.readers:
                silence = np.zeros((length, self._feed.channels), np.float32)
                voice = add_dub(silence, self._dub[:length], None)
                self._voice.publish(AudioChunk(start, voice))
            self._dub = self._dub[length:]
        if self._original is None:
            return
        if length:
            self._original.publish(AudioChunk(start, self._bed[:length]))
            self._bed = self._bed[length:]
        while self._packets and self._packets[0].time < self._position:
            packet = self._packets.popleft()
            self._feed.picture_format = packet.format
            if packet.key:
                self._feed.keyframe = packet
            self._feed.picture.publish(packet)
