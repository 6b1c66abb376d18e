"""Transformers checkpoints small enough to make in a test; their weights are random."""

import json
from pathlib import Path

import sentencepiece
import torch

LINES = [
    "The boy went to the park with his grandmother.",
    "Tomorrow it will rain in most of the country.",
    "O menino foi ao parque com a sua avó.",
    "Amanhã vai chover em quase todo o país.",
    "Мальчик пошёл в парк со своей бабушкой.",
] * 20


def _train(folder: Path, prefix: str) -> list[str]:
    """A SentencePiece model beside a list of what it can write."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_prefix=str(folder / prefix),
        vocab_size=70,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{prefix}.model"))
    return [pieces.id_to_piece(index) for index in range(3, pieces.get_piece_size())]


def marian(folder: Path, targets: tuple[str, ...] = ()) -> Path:
    """A Marian checkpoint, with markers for ``targets`` where there are several."""
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    pieces = _train(folder, "source")
    for side in ("source", "target"):
        (folder / f"{side}.spm").write_bytes((folder / "source.model").read_bytes())
    markers = [f">>{target}<<" for target in targets]
    vocabulary = ["</s>", "<unk>", *pieces, *markers, "<pad>"]
    index = {token: number for number, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(index))
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=index["<pad>"],
        decoder_start_token_id=index["<pad>"],
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    MarianMTModel(config).save_pretrained(folder)
    files = {"source_spm": "source.spm", "target_spm": "target.spm", "vocab": "vocab.json"}
    MarianTokenizer(**{key: str(folder / file) for key, file in files.items()}).save_pretrained(
        folder
    )
    return folder


def m2m(folder: Path) -> Path:
    """An M2M-100 checkpoint with its hundred languages."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    folder.mkdir()
    pieces = _train(folder, "pieces")
    model = folder / "sentencepiece.bpe.model"
    model.write_bytes((folder / "pieces.model").read_bytes())
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
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
    pieces = _train(folder, "pieces")
    model = folder / "sentencepiece.bpe.model"
    model.write_bytes((folder / "pieces.model").read_bytes())
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
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
