"""What XTTSv2's trainer starts from, small enough to make in a test; the weights are random."""

import string
from pathlib import Path

from tests.helpers.tiny_xtts import shape, vocabulary


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
        codebook_dim=512,
        hidden_dim=512,
        num_resnet_blocks=3,
        kernel_size=3,
        num_layers=2,
        use_transposed_convs=False,
    )
    torch.save(dvae.state_dict(), folder / "dvae.pth")
    torch.save(torch.ones(80), folder / "mel_stats.pth")
    return folder
