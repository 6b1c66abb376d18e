"""What a stranger's media may make us hold: checked before anything is decoded or converted."""

from __future__ import annotations

from typing import Any

import av

MOST_PIXELS = 4096 * 2304
"""Of a picture that is decoded: 4K, cinema's included. One that is passed on may be larger."""

LOWEST_RATE, HIGHEST_RATE = 4_000, 768_000
"""Hz: from the poorest telephone to the finest studio. Below, little data is much time."""

MOST_CHANNELS = 64

OVERHEAD = 512
"""Bytes that a packet costs besides those it holds."""


def takes_sound(rate: int, channels: int) -> bool:
    """Whether sound is of a kind that is converted."""
    return LOWEST_RATE <= rate <= HIGHEST_RATE and 1 <= channels <= MOST_CHANNELS


def picture_decoder(codec: str) -> Any:
    """A decoder that refuses pictures of more than ``MOST_PIXELS`` before it allocates them."""
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.options = {"max_pixels": str(MOST_PIXELS)}
    return decoder
