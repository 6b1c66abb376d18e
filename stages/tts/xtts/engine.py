"""XTTSv2: a cloned voice in seventeen languages, streamed while it is being made."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from stages.text.sentences import portions
from stages.tts.xtts.candidates import Take, best_take, least_bad, share_of
from stages.tts.xtts.checkpoint import load_checkpoint
from stages.tts.xtts.decode import decode, prefix
from stages.tts.xtts.hallucinated_tail import Fault, fault, is_over, longest, loop_start
from stages.tts.xtts.options import XttsOptions
from stages.tts.xtts.pauses import Pauses
from stages.tts.xtts.speaking_pace import characters_per_second, expected_seconds
from stages.tts.xtts.text import Portion, xtts_portions
from stages.tts.xtts.vocoder import PiecewiseVocoder
from stages.tts.xtts.voice import Latents, Voices
from stream.flow.worker import Worker
from stream.frames import PLAIN, Manner, Samples
from stream.languages import base

_ATTEMPTS = 3
"""Attempts at a sentence, each with another seed, while none of it has been sent."""
_READING = 1000
"""Seeds from one take of a text to the next: more than the attempts at one can use up."""
_SLACK = 1.5
"""What several takes may cost, as a multiple of one take's expected time."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A portion on its way: what the model begins with, how long it should take (s), its chance."""

    portion: Portion
    start: Any
    voice: Latents
    expected: float
    room: float | None
    seed: int


class Xtts:
    """A synthesiser for XTTSv2 and checkpoints fine-tuned from it.

    Sound leaves while the sentence is still being made. With ``options.candidates`` above 1, a
    sentence that has the time is made several times and the take that fits its slot best is
    used; it then begins only when all takes are done.

    Args:
        voice: reference recordings (comma-separated paths, or a folder), a stored voice, one of
            the model's own speakers, or a blend such as ``anna*0.7 + boris*0.3``; ``default`` is
            the model's first speaker.
        language: ISO 639-1 code of the text, with or without a region.
        model: folder, ``.pth`` file or hub id; ``default`` is ``coqui/XTTS-v2``.
        threads: of the CPU.
        options: how to speak.

    Raises:
        EngineError: if model or voice cannot be loaded, or cannot speak so here.
    """

    clones = True
    rate_range = (0.8, 1.3)

    def __init__(
        self,
        voice: str = "default",
        language: str = "ru",
        model: str = "default",
        threads: int = 2,
        options: XttsOptions | None = None,
    ) -> None:
        self._options = options or XttsOptions()
        checkpoint = load_checkpoint(model, language, self._options.compute_type)
        self._model = checkpoint.model
        self._language = language
        self._threads = threads
        arguments = self._model.args
        self.sample_rate: int = arguments.output_sample_rate
        self._codes_per_second = arguments.input_sample_rate / arguments.gpt_code_stride_len
        self.characters_per_second = characters_per_second(language)
        torch.set_num_threads(threads)
        self._voices = Voices(checkpoint)
        self._voice = self._voices.get(voice)
        self._seconds_per_code = 0.05
        self._worker = Worker("xtts")

    def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak ``text``, about a second a piece; see ``Synthesiser``."""
        slowest, fastest = self.rate_range
        chosen = replace(manner, rate=min(max(manner.rate, slowest), fastest))
        return self._worker.stream(lambda: self._pieces(text, chosen))

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless ``name`` is a voice as the constructor takes it."""
        self._voices.get(name)

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _pieces(self, text: str, manner: Manner) -> Iterator[Samples]:
        torch.set_num_threads(self._threads)  # of this thread: workers come and go
        voice = self._voices.get(manner.voice) if manner.voice else self._voice
        pauses = Pauses(self.sample_rate, manner.rate)
        found = xtts_portions(text, self._language)
        whole = "".join(portion.text for portion in found)
        for portion, tokens in self._tokenised(found):
            sentence = _Sentence(
                portion,
                prefix(self._model.gpt, tokens, voice.conditioning),
                voice,
                expected_seconds(portion.spoken, self._language),
                share_of(manner.room, portion.text, whole),
                self._options.seed + _READING * manner.take,
            )
            with contextlib.closing(self._speak(sentence, manner)) as spoken:
                for sound in spoken:
                    if len(piece := pauses.push(sound)):
                        yield piece
                    if is_over(
                        pauses.progress, sentence.expected / manner.rate, portion.clause_ends
                    ):
                        break
            if len(piece := pauses.end(portion.text)):
                yield piece

    def _tokenised(self, found: list[Portion]) -> Iterator[tuple[Portion, list[int]]]:
        """Portions with their tokens, halved where they have more than the model can read."""
        tokeniser = self._model.tokenizer
        unknown = tokeniser.tokenizer.token_to_id("[UNK]")
        space = tokeniser.tokenizer.token_to_id("[SPACE]")
        for portion in found:
            tokens = tokeniser.encode(portion.spoken.lower(), lang=base(self._language))
            if len(tokens) + 2 > self._model.args.gpt_max_text_tokens and len(portion.spoken) > 1:
                halves = portions(portion.spoken, math.ceil(len(portion.spoken) / 2))
                yield from self._tokenised([Portion(half, half, 0) for half in halves])
            elif any(token not in (unknown, space) for token in tokens[1:]):
                yield portion, tokens

    def _speak(self, sentence: _Sentence, manner: Manner) -> Generator[Samples, None, None]:
        count = self._options.candidates
        if count > 1 and self._has_time(sentence, manner.deadline):
            return self._chosen(sentence, manner)
        return self._streamed(sentence, manner)

    def _has_time(self, sentence: _Sentence, deadline: float | None) -> bool:
        codes = sentence.expected * self._codes_per_second
        needed = _SLACK * codes * self._seconds_per_code
        return deadline is None or time.monotonic() + needed < deadline

    def _streamed(self, sentence: _Sentence, manner: Manner) -> Generator[Samples, None, None]:
        """Sound as its codes come; begun again if a fault is found before any was sent."""
        for attempt in range(_ATTEMPTS):
            vocoder = self._vocoder(sentence, manner.rate)
            codes: list[int] = []
            heard = ended = False
            for row, latent, _ in self._decoded(sentence, [sentence.seed + attempt]):
                if row[0] == self._model.gpt.stop_audio_token:
                    ended = True
                    break
                codes.append(row[0])
                vocoder.add(latent)
                if loop_start(codes) is not None:
                    break
                if len(codes) % self._options.chunk == 0 and len(sound := vocoder.take()):
                    heard = True
                    yield sound
            wrong = self._fault(codes, sentence, ended)
            last = attempt == _ATTEMPTS - 1 or not self._has_time(sentence, manner.deadline)
            if wrong is None or heard or last:
                vocoder.cut(loop_start(codes))
                yield vocoder.take(final=True)
                return

    def _chosen(self, sentence: _Sentence, manner: Manner) -> Generator[Samples, None, None]:
        """The best of several takes; all are made again while all have faults and time is left."""
        count = self._options.candidates
        for attempt in range(_ATTEMPTS):
            seeds = [sentence.seed + attempt * count + index for index in range(count)]
            takes, latents = self._takes(sentence, seeds, manner.rate)
            index = best_take(takes, sentence.room, self._options.length_penalty)
            last = attempt == _ATTEMPTS - 1 or not self._has_time(sentence, manner.deadline)
            if index is None and last:
                index = least_bad(takes, sentence.expected / manner.rate)
            if index is not None:
                break
        assert index is not None
        vocoder = self._vocoder(sentence, manner.rate)
        codes = takes[index].codes
        for number in range(loop_start(codes) or len(codes)):
            vocoder.add(latents[number][index : index + 1])
            if (number + 1) % self._options.chunk == 0:
                yield vocoder.take()
        yield vocoder.take(final=True)

    def _takes(
        self, sentence: _Sentence, seeds: list[int], rate: float
    ) -> tuple[list[Take], list[Any]]:
        rows: list[list[int]] = [[] for _ in seeds]
        likelihoods = [0.0] * len(seeds)
        ended = [False] * len(seeds)
        latents = []
        for codes, latent, chances in self._decoded(sentence, seeds):
            latents.append(latent)
            for take, (code, chance) in enumerate(zip(codes, chances, strict=True)):
                if ended[take]:
                    continue
                likelihoods[take] += chance
                if code == self._model.gpt.stop_audio_token:
                    ended[take] = True
                else:
                    rows[take].append(code)
        takes = [
            Take(
                tuple(row),
                len(row) / self._codes_per_second / rate,
                likelihood,
                self._fault(row, sentence, done),
            )
            for row, likelihood, done in zip(rows, likelihoods, ended, strict=True)
        ]
        return takes, latents

    def _decoded(
        self, sentence: _Sentence, seeds: list[int]
    ) -> Iterator[tuple[tuple[int, ...], Any, tuple[float, ...]]]:
        """Steps of the model, timed, up to the longest that the text can take."""
        limit = math.ceil(longest(sentence.expected) * self._codes_per_second)
        steps = decode(self._model.gpt, sentence.start, self._options, seeds, limit)
        while True:
            began = time.perf_counter()
            if (step := next(steps, None)) is None:
                return
            self._seconds_per_code += 0.05 * (time.perf_counter() - began - self._seconds_per_code)
            yield step.codes, step.latents, step.log_probabilities

    def _fault(self, codes: list[int], sentence: _Sentence, ended: bool) -> Fault | None:
        seconds = len(codes) / self._codes_per_second
        return fault(codes, seconds, sentence.expected, ended=ended)

    def _vocoder(self, sentence: _Sentence, rate: float) -> PiecewiseVocoder:
        return PiecewiseVocoder(self._model.hifigan_decoder, sentence.voice.speaker, rate)
