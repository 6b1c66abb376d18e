"""What XTTSv2's trainer starts from, small enough to make in a test; the weights are random."""

import contextlib
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.tiny_xtts import narrow_xtts, shape, vocabulary


@contextlib.contextmanager
def narrow_training() -> Iterator[None]:
    """``narrow_xtts``, and a narrow DVAE for the trainer, whose width no configuration sets."""
    with narrow_xtts(), pytest.MonkeyPatch.context() as patch:
        from TTS.tts.layers.xtts.trainer import gpt_trainer

        dvae = gpt_trainer.DiscreteVAE

        def narrow(**shape: Any) -> Any:
            return dvae(**shape | {"codebook_dim": 32, "hidden_dim": 32})

        patch.setattr(gpt_trainer, "DiscreteVAE", narrow)
        yield


def training_base(folder: Path) -> Path:
    """A checkpoint folder of the true architecture with a shallow language model, and its DVAE."""
    import torch
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig
    from TTS.tts.layers.xtts.dvae import DiscreteVAE
    from TTS.tts.models.xtts import Xtts

    folder.mkdir()
    letters = string.ascii_lowercase + string.digits + ".,!?'-"
    arguments = XttsArgs(**shape(vocabulary(folder, letters)))
    config = XttsConfig(model_args=arguments, audio=XttsAudioConfig())
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(0)
    torch.save({"model": Xtts(config).state_dict()}, folder / "model.pth")
    dvae = DiscreteVAE(
        channels=80,
        normalization=None,
        positional_dims=1,
        num_tokens=arguments.gpt_num_audio_tokens - 2,
        codebook_dim=32,
        hidden_dim=32,
        num_resnet_blocks=3,
        kernel_size=3,
        num_layers=2,
        use_transposed_convs=False,
    )
    torch.save(dvae.state_dict(), folder / "dvae.pth")
    torch.save(torch.ones(80), folder / "mel_stats.pth")
    return folder
