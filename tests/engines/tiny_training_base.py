"""What XTTSv2's trainer starts from, small enough to make in a test; the weights are random."""

import string
from pathlib import Path


def training_base(folder: Path) -> Path:
    """A checkpoint folder of the true architecture with a shallow language model, and its DVAE."""
    import torch
    from tokenizers import Tokenizer, models
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig, XttsConfig
    from TTS.tts.layers.xtts.dvae import DiscreteVAE
    from TTS.tts.models.xtts import Xtts

    folder.mkdir()
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{x}]" for x in XttsConfig().languages)]
    letters = string.ascii_lowercase + string.digits + ".,!?'-"
    vocabulary = {token: index for index, token in enumerate([*special, *letters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "vocab.json"))
    arguments = XttsArgs(
        gpt_layers=2,
        gpt_n_model_channels=64,
        gpt_n_heads=2,
        gpt_number_text_tokens=len(vocabulary),
        gpt_start_text_token=vocabulary["[START]"],
        gpt_stop_text_token=vocabulary["[STOP]"],
        gpt_use_perceiver_resampler=True,
        decoder_input_dim=64,
        d_vector_dim=512,
    )
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
