"""How a source is recognised, for files and live sessions alike: engines behind stages."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from server.config import Config
from server.engines.pool import SourceEngines
from stages.asr.multilingual import InLanguage, detector
from stages.asr.sentence_case import SentenceCase
from stages.asr.stage import transcription, with_words
from stages.asr.units import Units
from stages.base import (
    EngineError,
    Enhancer,
    MultilingualRecogniser,
    Recogniser,
    SpeechDetector,
)
from stages.text.function_words import conjunctions, leaning
from stream.clock.pacing import Pacing
from stream.dub.attempt import Attempts, Watch
from stream.dub.lateness import Lateness
from stream.dub.recognition import Languages, Recognition, Speakers
from stream.dub.recognition import Recogniser as StreamRecogniser
from stream.media.options import AUTO
from stream.sound.channels import SpeechChannels
from stream.speech.agreement import LocalAgreement
from stream.speech.detection import Detection, VoiceActivity
from stream.speech.enhancement import Enhancement, SpeechEnhancer
from stream.speech.hearing import Hearing
from stream.speech.incremental import BREATH_S, Incremental
from stream.speech.lengths import SegmentOptions, within_delay
from stream.speech.script import Prompted, Script
from stream.speech.segment import Segmenter
from stream.speech.spoken_language import SpokenLanguage

REACTION_S = 0.5
"""What recognition and translation take together."""

CONTEXT_S, NEAR_S = 4.0, 1.0
"""Sound before an utterance that is recognised again with it, and the silence that parts them."""

FILE_CONTEXT_S, FILE_NEAR_S = 8.0, 3.0
"""The same of a file, where nobody waits: more is recognised better."""

SOON_S = 0.07
"""Before the end of the pause that ends an utterance, where nobody waits for it."""

DRAFT_S = 5.0
"""Deadline for speech under way: what it misses is recognised again once it has ended."""

LIVE_S = 1.0
"""Deadline for VAD and for cuts of a live source, which keeps coming meanwhile."""


@dataclass(frozen=True, slots=True)
class SourceSide:
    """What all lanes of a session share.

    Attributes:
        detection: of the source's speech.
        recognition: of its words.
        options: lengths of utterances, as the delay allows.
        enhancement: parts its speech from what surrounds it, where an enhancer is used.
    """

    detection: Detection
    recognition: Recognition
    options: SegmentOptions
    enhancement: Enhancement | None = None


def source_side(
    config: Config,
    engines: SourceEngines,
    recogniser: Recogniser,
    speakers: Speakers | None,
    pacing: Pacing,
    *,
    centre: int | None,
    pace: float,
    cost: float = 0.0,
    script: Script | None = None,
    watch: Watch = lambda notice: None,
) -> SourceSide:
    """Detection and recognition of one source.

    Args:
        config: checked.
        engines: of the source.
        recogniser: theirs, behind a denoiser where one is configured.
        speakers: tells who speaks; ``None`` for one speaker.
        pacing: wall time.
        centre: index of the source's centre channel, if it has one.
        pace: seconds that the slowest synthesiser takes for a second of speech.
        cost: seconds that the slowest translator takes for an utterance beyond ``REACTION_S``.
        script: has the words in the recogniser's place, where there is one.
        watch: told what becomes of each utterance.
    """
    detector, asr, live = engines.detector, config.asr, pacing.live
    cutting = segmenter(
        config, detector.window, delay=config.playout.behind if live else None, pace=pace, cost=cost
    )
    limit = LIVE_S if pacing.running else asr.deadline
    incremental = increments(config, cutting, live=live, pace=pace)
    words_limit = limit if incremental is None else draft_deadline(config, live=live)
    case = SentenceCase()

    def stage(recogniser: Recogniser) -> StreamRecogniser:
        words, whole = with_words(recogniser), transcription(recogniser, case, engines.second)
        if script is not None:
            whole = script.of_utterance
        return StreamRecogniser(words, words_limit, whole, asr.deadline)

    hearing = Hearing(cutting, incremental, inline=not live)
    if script is not None:
        hearing = Prompted(cutting, incremental, script, inline=not live)
    return SourceSide(
        detection(config, detector, centre, limit, live=pacing.running),
        Recognition(
            hearing,
            stage(recogniser),
            Attempts(pacing, lateness(config), watch),
            speakers,
            several(config, recogniser, stage),
        ),
        cutting.options,
        enhancement(config, engines.enhancer, centre, live=live),
    )


def detection(
    config: Config, detector: SpeechDetector, centre: int | None, deadline: float, *, live: bool
) -> Detection:
    """Detection of the speech in a source.

    Args:
        config: checked.
        detector: of this source alone.
        centre: index of the source's centre channel, if it has one.
        deadline: wall seconds for one call.
        live: whether media keeps coming while the detector hangs.
    """
    channels = SpeechChannels(centre, choose=config.input.channel == AUTO)
    activity = VoiceActivity(detector.probabilities, detector.window, deadline)
    return Detection(activity, channels, live=live)


def several(
    config: Config, recogniser: Recogniser, stage: Callable[[Recogniser], StreamRecogniser]
) -> Languages | None:
    """What tells the languages of a source apart, where it has several.

    Args:
        config: checked.
        recogniser: of all of them.
        stage: makes the recognition of one.

    Raises:
        EngineError: if the recogniser does not know one of them.
    """
    spoken = config.languages.several
    if spoken is None:
        return None
    if not isinstance(recogniser, MultilingualRecogniser):
        raise EngineError("asr.engine cannot tell languages apart: set languages.source to one.")
    by_language = functools.cache(lambda language: stage(InLanguage(recogniser, language)))
    return Languages(SpokenLanguage(detector(recogniser, spoken), spoken), by_language)


def enhancement(
    config: Config, enhancer: Enhancer | None, centre: int | None, *, live: bool
) -> Enhancement | None:
    """What parts a source's speech from its surroundings, where there is an enhancer.

    Args:
        config: checked.
        enhancer: the session's own.
        centre: index of the source's centre channel, if it has one.
        live: whether somebody waits.
    """
    if enhancer is None:
        return None
    patience = LIVE_S if live else config.asr.deadline
    return Enhancement(
        SpeechEnhancer(enhancer.enhance, enhancer.frame, enhancer.latency, patience),
        SpeechChannels(centre, choose=config.input.channel == AUTO),
        live=live,
    )


def lateness(config: Config) -> Lateness:
    """How late a dub may be, as configured."""
    return Lateness(max_late=config.playout.max_late)


def draft_deadline(config: Config, *, live: bool) -> float:
    """Seconds for the recognition of speech under way.

    Where nobody waits it has time, so that a busy machine hears the same words.
    """
    return min(config.asr.deadline, DRAFT_S) if live else config.asr.deadline


def reaction(config: Config) -> float:
    """Seconds from the end of speech to its translation."""
    return REACTION_S if config.asr.mode == "incremental" else config.segment.pause + REACTION_S


def increments(
    config: Config, segmenter: Segmenter, *, live: bool, pace: float
) -> Incremental | None:
    """Recognition while people speak, where it is configured.

    Args:
        config: checked.
        segmenter: of the same stream.
        live: whether somebody waits.
        pace: seconds that the slowest synthesiser takes for a second of speech.
    """
    if config.asr.mode != "incremental":
        return None
    options = segmenter.options
    return Incremental(
        segmenter,
        # Where speech is recognised once, there is nothing that could agree.
        LocalAgreement(config.asr.agreement if live else 1),
        Units(options, config.source, live=live),
        # More frequent recognition would gain less than it takes from a slow voice.
        step=config.asr.step * min(1 + 2 * pace, 2) if live else math.inf,
        breath=BREATH_S if live else options.pause - SOON_S,
    )


def segmenter(
    config: Config, window: int, *, delay: float | None, pace: float, cost: float = 0.0
) -> Segmenter:
    """The segmenter of a stream.

    Args:
        config: checked.
        window: samples of one speech probability.
        delay: seconds that the viewer is behind; ``None`` where nobody watches.
        pace: seconds that the slowest synthesiser takes for a second of speech.
        cost: seconds that the slowest translator takes for an utterance beyond ``REACTION_S``.
    """
    options, incremental = config.segment, config.asr.mode == "incremental"
    context, near = (CONTEXT_S, NEAR_S) if delay is not None else (FILE_CONTEXT_S, FILE_NEAR_S)
    if delay is not None:
        options = within_delay(options, delay, pace, reaction(config) + cost)
    elif incremental:
        # Recognised with what follows, the end of a sentence is told from a breath.
        options = replace(options, pause=options.late_pause, early_pause=options.late_pause)
    language = config.source
    return Segmenter(
        options,
        window,
        breaths=not incremental,
        leaning=leaning(language),
        opening=conjunctions(language),
        context=context if incremental else 0.0,
        near=near,
    )
