"""The wiring of a lane: an engine for each stage, for files and live sessions alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from server.config import Config
from server.engines.pool import LaneEngines
from server.engines.translators import Translators
from server.sessions.assembly import lateness
from server.sessions.casting import Part
from stages.base import SpeechTranslator, Translator
from stages.mt.by_language import by_language
from stages.mt.stage import translation
from stages.tts.proofread import Proofread
from stream.clock.pacing import Pacing
from stream.dub.attempt import Watch
from stream.dub.lane import Lane, LaneOptions, Translate
from stream.dub.playout import Block
from stream.dub.voice import Voice

Terms = Callable[[], Mapping[str, str]]
"""The glossary of a track as it is now: translation by term."""


def _translation(
    translator: Translator | SpeechTranslator | Translators,
    config: Config,
    lane: Lane,
    terms: Terms | None,
) -> Translate:
    """The translation stage of a lane; where several languages are spoken, one for each."""

    def stage(translator: Translator | SpeechTranslator, language: str) -> Translate:
        return translation(
            translator, config.mt, language, lane.expected, lane.reword, config.target, terms
        )

    if not isinstance(translator, Translators):
        return stage(translator, config.source)
    translators = translator

    async def of(language: str) -> Translate:
        return stage(await translators.of(language), language)

    return by_language(config.target, of)


def make_lane(
    config: Config,
    engines: LaneEngines,
    part: Part,
    pacing: Pacing,
    emit: Callable[[Block], Awaitable[None]],
    *,
    channels: int,
    centre: int | None,
    capacity: int,
    keep: int | None = None,
    watch: Watch = lambda notice: None,
    terms: Terms | None = None,
) -> Lane:
    """A lane into ``config.target``.

    Args:
        config: checked, for this lane's language.
        engines: of the lane.
        part: which voice speaks for whom.
        pacing: wall time.
        emit: writes a block of output.
        channels: of the source's sound.
        centre: index of its centre channel, if it has one.
        capacity: ticks of source that may wait ahead of the playout position.
        keep: newest jobs kept; all where it is ``None``.
        watch: told what becomes of each utterance.
        terms: the glossary of the moment; that of ``config`` where it does not change.
    """
    synthesiser = engines.synthesiser
    if engines.proofreader is not None:
        # Half of the stage's deadline is left for the reading that was begun last.
        synthesiser = Proofread(synthesiser, engines.proofreader, config.tts.deadline / 2)
    voice = Voice(
        synthesiser.synthesise,
        synthesiser.sample_rate,
        synthesiser.rate_range,
        synthesiser.characters_per_second,
        part.voice,
    )
    options = LaneOptions(
        channels,
        centre,
        config.playout,
        config.fit,
        capacity,
        config.mt.deadline,
        config.tts.deadline,
        keep,
        config.output.tone,
    )
    return Lane(
        config.target,
        lambda lane: _translation(engines.translator, config, lane, terms),
        voice,
        options,
        pacing,
        lateness(config),
        emit,
        watch,
    )
