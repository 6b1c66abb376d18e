"""XTTS's language model, code by code: sampled here, so that calls share nothing but weights.

coqui-tts streams by way of transformers' ``generate``, keeps the prefix of the one current call
in the model, and draws from PyTorch's global generator. Two sentences that are made in turns, or
a cancelled one that is still running, would then disturb each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from stages.tts.xtts.options import XttsOptions

_FILLER = 1
"""What coqui-tts puts in place of the prefix; the repetition penalty sees it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One code of each take.

    Attributes:
        codes: shape ``(takes,)``; the stop code where a take has ended.
        latents: what the vocoder speaks, shape ``(takes, width)``, float32.
        log_probabilities: of the codes, shape ``(takes,)``.
    """

    codes: tuple[int, ...]
    latents: Any
    log_probabilities: tuple[float, ...]


def prefix(gpt: Any, text_tokens: Sequence[int], conditioning: Any) -> Any:
    """What a sentence begins with: the voice, then the text; shape ``(1, length, width)``."""
    with torch.inference_mode():
        device, dtype = conditioning.device, gpt.text_embedding.weight.dtype
        tokens = torch.tensor(
            [[gpt.start_text_token, *text_tokens, gpt.stop_text_token]], device=device
        )
        text = gpt.text_embedding(tokens) + gpt.text_pos_embedding(tokens)
        return torch.cat([conditioning.to(dtype), text], dim=1)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def decode(
    gpt: Any, start: Any, options: XttsOptions, seeds: Sequence[int], limit: int
) -> Iterator[Step]:
    """Sample codes until every take has ended, or ``limit`` codes.

    Args:
        gpt: ``TTS.tts.layers.xtts.gpt.GPT``.
        start: see ``prefix``.
        options: of sampling.
        seeds: one for each take, which are made side by side.
        limit: most codes.
    """
    device, takes = start.device, len(seeds)
    randoms = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    adjust = LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(options.repetition_penalty),
            TemperatureLogitsWarper(options.temperature),
            TopKLogitsWarper(options.top_k),
            TopPLogitsWarper(options.top_p),
        ]
    )
    stop = gpt.stop_audio_token
    said = torch.tensor([[_FILLER, gpt.start_audio_token]], device=device).repeat(takes, 1)
    going = torch.ones(takes, dtype=torch.bool, device=device)
    cache = DynamicCache(config=gpt.gpt.config)
    inputs = start.expand(takes, -1, -1)
    for position in range(min(limit, gpt.max_gen_mel_tokens)):
        last = gpt.mel_embedding(said[:, -1:])
        last = last + gpt.mel_pos_embedding.get_fixed_embedding(position, device)
        inputs = torch.cat([inputs, last], dim=1) if position == 0 else last
        made = gpt.gpt(
            inputs_embeds=inputs, past_key_values=cache, use_cache=True, return_dict=True
        )
        latents = gpt.final_norm(made.last_hidden_state[:, -1])
        logits = gpt.mel_head(latents).float()
        scores = adjust(said, logits).log_softmax(dim=-1)
        drawn = torch.cat(
            [
                torch.multinomial(row.exp(), 1, generator=random)
                for row, random in zip(scores, randoms, strict=True)
            ]
        )
        drawn = torch.where(going, drawn, stop)
        chances = scores.gather(1, drawn[:, None])[:, 0].tolist()
        yield Step(tuple(drawn.tolist()), latents.float(), tuple(chances))
        going = going & (drawn != stop)
        if not going.any():
            return
        said = torch.cat([said, drawn[:, None]], dim=1)
