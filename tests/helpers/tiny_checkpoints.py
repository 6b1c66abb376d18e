"""Transformers checkpoints small enough to make in a test; their weights are random."""

import json
import shutil
from pathlib import Path

import torch

from benchmarks.russian import marian_tokeniser, pieces
from stages.weights.resolve import resolve

LINES = [
    "The boy went to the park with his grandmother.",
    "Tomorrow it will rain in most of the country.",
    "O menino foi ao parque com a sua avó.",
    "Amanhã vai chover em quase todo o país.",
    "Мальчик пошёл в парк со своей бабушкой.",
] * 20

SIZE = 70
"""Pieces of words."""


def marian(folder: Path, targets: tuple[str, ...] = ()) -> Path:
    """A Marian checkpoint, with markers for ``targets`` where there are several."""
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir()
    markers = [f">>{target}<<" for target in targets]
    tokeniser = marian_tokeniser(folder, LINES, SIZE, markers)
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(tokeniser),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=tokeniser.pad_token_id,
        decoder_start_token_id=tokeniser.pad_token_id,
        eos_token_id=tokeniser.eos_token_id,
        forced_eos_token_id=tokeniser.eos_token_id,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def m2m(folder: Path) -> Path:
    """An M2M-100 checkpoint with its hundred languages."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    folder.mkdir()
    words = pieces(folder, "pieces", LINES, SIZE)
    model = folder / "sentencepiece.bpe.model"
    model.write_bytes((folder / "pieces.model").read_bytes())
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *words]
    index = {token: number for number, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(index))
    tokenizer = M2M100Tokenizer(str(folder / "vocab.json"), str(model))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(vocabulary) + len(tokenizer.lang_token_to_id) + tokenizer.num_madeup_words,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def nllb(folder: Path) -> Path:
    """An NLLB checkpoint with its two hundred languages."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    folder.mkdir()
    words = pieces(folder, "pieces", LINES, SIZE)
    model = folder / "sentencepiece.bpe.model"
    model.write_bytes((folder / "pieces.model").read_bytes())
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *words]
    tokenizer = NllbTokenizer({token: number for number, token in enumerate(vocabulary)}, [])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """A multilingual Whisper in CTranslate2 form, with the tokens of the embedded one."""
    from ctranslate2.converters import TransformersConverter
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        alignment_heads=[[0, 0]],
        suppress_tokens=[],
        begin_suppress_tokens=[220, 50257],
        lang_to_id={},
        no_timestamps_token_id=50363,
    )
    made = folder / "transformers"
    model.save_pretrained(made)
    tokens = resolve("base") / "tokenizer.json"
    WhisperTokenizerFast(tokenizer_file=str(tokens)).save_pretrained(made)
    TransformersConverter(str(made)).convert(str(folder), quantization="int8", force=True)
    shutil.copy(tokens, folder)
    return folder
