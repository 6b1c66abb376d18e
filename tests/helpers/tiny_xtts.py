"""An XTTS small enough to make in a test; its weights are random, so what it says is noise."""

import contextlib
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

TEXTS = ["abcdefghijklmnopqrstuvwxyz .,!?ãáâéêíóôõúç", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"]


@contextlib.contextmanager
def narrow_xtts() -> Iterator[None]:
    """Checkpoints made and loaded here have the true layers, a sixteenth as wide or narrower.

    That is for what ``XttsArgs`` does not set: the vocoder and its speaker encoder.
    """
    pytest.importorskip("TTS.tts.models.xtts")
    from TTS.tts.layers.xtts import hifigan_decoder
    from TTS.tts.models import xtts

    with pytest.MonkeyPatch.context() as patch:
        vocoder = functools.partial(xtts.HifiDecoder, upsample_initial_channel_decoder=32)
        patch.setattr(xtts, "HifiDecoder", vocoder)
        encoder = functools.partial(hifigan_decoder.ResNetSpeakerEncoder, num_filters=[8, 8, 8, 16])
        patch.setattr(hifigan_decoder, "ResNetSpeakerEncoder", encoder)
        yield


def vocabulary(folder: Path, letters: Iterable[str]) -> dict[str, int]:
    """Write ``vocab.json``: the marks of XTTS, then the letters one by one; numbers by token."""
    from tokenizers import Tokenizer, models
    from TTS.tts.configs.xtts_config import XttsConfig

    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{x}]" for x in XttsConfig().languages)]
    numbers = {token: index for index, token in enumerate([*special, *letters])}
    tokenizer = Tokenizer(models.BPE(numbers, [], unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "vocab.json"))
    return numbers


def shape(vocabulary: dict[str, int]) -> dict[str, Any]:
    """Arguments of a language model that is narrow and shallow, and otherwise the true one."""
    return {
        "gpt_layers": 2,
        "gpt_n_model_channels": 64,
        "gpt_n_heads": 2,
        "gpt_number_text_tokens": len(vocabulary),
        "gpt_start_text_token": vocabulary["[START]"],
        "gpt_stop_text_token": vocabulary["[STOP]"],
        "gpt_use_perceiver_resampler": True,
        "decoder_input_dim": 64,
        "d_vector_dim": 512,
    }


def tiny_xtts(folder: Path, codes: int = 44) -> Path:
    """An XTTS checkpoint of the true architecture, narrow and shallow; it hardly stops by itself.

    Args:
        folder: to make.
        codes: most audio codes of a sentence, 46 ms each.
    """
    import torch
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig
    from TTS.tts.models.xtts import Xtts

    folder.mkdir()
    letters = sorted({letter for line in TEXTS for letter in line.lower() if letter != " "})
    config = XttsConfig(
        model_args=XttsArgs(
            gpt_max_audio_tokens=codes + 3,
            **shape(vocabulary(folder, letters)),
        ),
        audio=XttsAudioConfig(),
        gpt_cond_len=6,
    )
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(0)
    model = Xtts(config)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    voice = {"gpt_cond_latent": torch.randn(1, 32, 64), "speaker_embedding": torch.randn(1, 512, 1)}
    speakers = {"Ana": voice, "Boris": {key: -value for key, value in voice.items()}}
    torch.save(speakers, folder / "speakers_xtts.pth")
    return folder
