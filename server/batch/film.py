"""A long film in pieces: what is asked of the models is asked for all pieces side by side.

Each piece is dubbed like a film of its own, of which nothing is kept but what the models said: a
journal (`server.sessions.journal`). Then the film is dubbed as a whole, and finds there whatever it
asks. So its dub is the one that it would have had in one piece, whatever the pieces were: what was
asked otherwise at their edges is asked again.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace

from server.batch.tasks import CutFilm, DubPiece, Parted, PieceDubbed, Progress, Tell
from server.engines.pool import EnginePool
from server.engines.second import second_recogniser
from server.sessions.assembly import detection, source_side
from server.sessions.casting import Casting
from server.sessions.file import LOOKAHEAD
from server.sessions.journal import Journal, journal_of
from server.sessions.lane import make_lane
from stages.asr.stage import behind_denoiser
from stages.vad import SileroDetector
from stream.clock.pacing import Offline
from stream.dub.pipeline import Pipeline
from stream.dub.playout import Block
from stream.frames import SPEECH_RATE, AudioChunk
from stream.media.reading import batches
from stream.media.source import MediaSource
from stream.speech.pieces import DetectedSpeech, Replay, pieces
from stream.timeline import TICK_RATE, seconds

OWNER = "piece"
"""Of the engines that a piece uses."""

EVERY_S = 0.5
"""Between two words about progress."""

JOURNALS = "*.journal"


async def cut_film(task: CutFilm, tell: Tell) -> Parted:
    """Find the speech in a film and where it may be parted; raises ``UserError`` as sources do."""
    job, config = task.job, task.config
    if not job.resume:
        journal_of(job.output).unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, task.pieces, ignore_errors=True)
    task.pieces.mkdir(parents=True, exist_ok=True)
    source = MediaSource(job.input, choice=config.input, language=config.languages.one)
    detector = SileroDetector()
    found = DetectedSpeech(task.pieces, detector.window)
    found.clear()
    detecting = detection(config, detector, source.info.centre, config.asr.deadline, live=False)
    whole = seconds(source.info.duration) if source.info.duration else None
    try:
        async for batch in batches(source, TICK_RATE // 2):
            if chunks := [item for item in batch if isinstance(item, AudioChunk)]:
                found.write(await detecting.push(chunks))
                tell(Progress(seconds(chunks[-1].end), whole))
        found.write(await detecting.flush())
    finally:
        source.close()
        await detector.aclose()
    probabilities = found.probabilities
    begins = pieces(
        probabilities, detector.window, silent=config.segment.offset, length=task.length
    )
    return Parted(begins, len(probabilities) * detector.window / SPEECH_RATE)


async def dub_piece(task: DubPiece, pool: EnginePool, tell: Tell) -> PieceDubbed:
    """Recognise, translate and speak a piece; what the models say is kept in its journal."""
    config, pacing = task.config, Offline()
    loaded, lane_loaded = await pool.source(config, OWNER), await pool.lane(config, OWNER)
    loaded = replace(loaded, second=await second_recogniser(config, pool, OWNER))
    journal = Journal(task.pieces / f"{task.first}.journal", resume=True)
    engines, lane_engines = journal.source(loaded, config), journal.lane(lane_loaded, config)
    if task.voice:
        lane_engines.synthesiser.characters_per_second = task.voice
    windows = DetectedSpeech(task.pieces, loaded.detector.window).read(task.first, task.last)
    replay, casting = Replay(windows), Casting(config, engines.encoder)
    part = casting.part(lane_engines.synthesiser)
    recogniser = behind_denoiser(engines.recogniser, config.asr)
    side = source_side(
        config,
        engines,
        recogniser,
        casting.speakers,
        pacing,
        centre=None,
        pace=lane_engines.pace,
        cost=lane_engines.cost,
    )
    lane = make_lane(
        config,
        lane_engines,
        part,
        pacing,
        _nowhere,
        channels=1,
        centre=None,
        capacity=LOOKAHEAD + 2 * round(side.options.max_length * TICK_RATE),
    )
    whole = len(windows.audio) / SPEECH_RATE

    async def follow() -> None:
        while True:
            tell(Progress(seconds(lane.playout.position), whole))
            await asyncio.sleep(EVERY_S)

    following = asyncio.create_task(follow())
    try:
        await Pipeline(replay.media(), replay, side.recognition, [lane], pacing).run()
    finally:
        following.cancel()
        await lane.aclose()
        await casting.aclose()
        if recogniser is not engines.recogniser:
            await recogniser.aclose()
        await loaded.detector.aclose()
        if loaded.enhancer is not None:
            await loaded.enhancer.aclose()
        pool.release(OWNER)
        await journal.aclose(forget=False)
    return PieceDubbed(lane.characters_per_second)


async def _nowhere(block: Block) -> None:
    """A piece is heard by nobody."""
