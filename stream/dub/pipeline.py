"""The pipeline: source, detection, recognition and lanes under one task group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from stream.clock.pacing import Pacing
from stream.dub.lane import Lane
from stream.dub.recognition import Answer, Pending, Recognition
from stream.flow.channel import Channel
from stream.frames import AudioChunk, Batch, Utterance
from stream.speech.detection import Detects, Windows
from stream.speech.enhancement import Enhanced, Enhancement
from stream.timeline import END_OF_TIME

QUEUED_JOBS = 4
"""Utterances that may wait before each stage of a source that can be held back."""

QUEUED_LIVE = 32
"""The same where it cannot: more than are ever worth dubbing by the time their turn comes."""

QUEUED_SOUND = 64
"""Batches of sound that may wait for the enhancer: more than it may fall behind a live source."""

QUEUED_WINDOWS = 4
"""Batches of VAD windows that may wait for recognition."""


class Pipeline:
    """Dubs one source into one or several tracks.

    A fault in a stage costs the utterance its dub: the original is heard in its place, and
    the stream goes on. Faults of the sink end the run, since there is nowhere to go on to.

    Args:
        media: of the source, in order.
        detection: of the source's speech.
        recognition: of its words.
        lanes: the first one carries the picture.
        pacing: wall time.
        enhancement: parts speech from its surroundings; ``None`` to take the sound as it is.
    """

    def __init__(
        self,
        media: AsyncGenerator[Batch, None],
        detection: Detects,
        recognition: Recognition,
        lanes: Sequence[Lane],
        pacing: Pacing,
        enhancement: Enhancement | None = None,
    ) -> None:
        self.lanes = lanes
        self._detection = detection
        self.enhancement = enhancement
        self._media = media
        self._recognition = recognition
        self._pacing = pacing
        self.stopping = False
        """Whether it was told to end early."""
        self._found: Channel[Pending] | None = None

    async def run(self) -> None:
        """Run until the source has been played out, or until ``stop``."""
        self._pacing.start()
        queued = QUEUED_LIVE if self._pacing.running else QUEUED_JOBS
        windows = Channel[Windows | Answer](QUEUED_WINDOWS)
        sound = Channel[list[AudioChunk]](QUEUED_SOUND)
        found = self._found = Channel[Pending](queued)
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(self._read(windows, sound), name="read"),
                group.create_task(
                    self._recognition.find(windows, found, self._announce), name="find"
                ),
                group.create_task(self._recognise(found), name="recognise"),
            ]
            if self.enhancement is not None:
                working.append(group.create_task(self._enhance(sound), name="enhance"))
            else:
                self._lift(Enhanced([], END_OF_TIME))
            for lane in self.lanes:
                working += lane.open(group, queued)
            playing = [
                group.create_task(lane.play(), name=f"{lane.name} playout") for lane in self.lanes
            ]
            await asyncio.wait(playing)
            for task in working:
                task.cancel()
        if not self.stopping:
            for lane in self.lanes:
                lane.settle()

    @property
    def unrecognised(self) -> int:
        """Utterances that wait for recognition."""
        return len(self._found) if self._found is not None else 0

    def stop(self) -> None:
        """End early: what is dubbed by now is played, the rest is left."""
        self.stopping = True
        for lane in self.lanes:
            lane.playout.stop()

    async def _read(
        self, outbox: Channel[Windows | Answer], heard: Channel[list[AudioChunk]]
    ) -> None:
        try:
            async for items in self._media:
                if self.stopping:
                    return
                sound = [item for item in items if isinstance(item, AudioChunk)]
                if not all(item.absent for item in sound) or len(sound) < len(items):
                    await self._pacing.source(max(item.end for item in items))
                for lane in self.lanes:
                    await lane.playout.feed(items if lane is self.lanes[0] else sound)
                if sound:
                    if self.enhancement is not None:
                        await heard.send(sound)
                    await self._send(await self._detection.push(sound), outbox)
            await self._send(await self._detection.flush(), outbox)
        finally:
            await self._media.aclose()
        outbox.close()
        heard.close()

    async def _enhance(self, inbox: Channel[list[AudioChunk]]) -> None:
        """Part the speech from its surroundings, for the beds of all lanes."""
        assert self.enhancement is not None
        async for sound in inbox:
            self._lift(await self.enhancement.push(sound))
        self._lift(await self.enhancement.flush())

    def _lift(self, enhanced: Enhanced) -> None:
        for lane in self.lanes:
            lane.playout.lift(enhanced.speech, enhanced.settled)

    async def _send(self, windows: Windows, outbox: Channel[Windows | Answer]) -> None:
        if len(windows.probabilities):
            await outbox.send(windows)

    def _announce(self, utterances: Sequence[Utterance], settled: int | None) -> None:
        for lane in self.lanes:
            for utterance in utterances:
                lane.playout.announce(utterance.id, utterance.slot)
            if settled is not None:
                lane.playout.settle(settled)
            else:
                lane.playout.end_source()

    async def _recognise(self, inbox: Channel[Pending]) -> None:
        async for pending in inbox:
            job = await self._recognition.recognise(pending)
            for lane in self.lanes:
                await lane.send(job.for_lane())
        for lane in self.lanes:
            lane.close()
