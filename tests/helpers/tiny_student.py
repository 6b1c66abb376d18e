"""A student model small enough to make in a test, with random weights, as Marian writes it."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import yaml

from stages.mt.bergamot.marian_file import CHARACTERS, FLOAT32, INTGEMM8

LINES = [
    "The boy went to the park with his grandmother.",
    "Tomorrow it will rain in most of the country.",
    "O menino foi ao parque com a sua avó.",
    "Amanhã vai chover em quase todo o país.",
] * 20

PIECES, WIDTH, HEADS, INNER, ENCODER, DECODER = 64, 16, 2, 32, 2, 2

CONFIG: dict[str, Any] = {
    "type": "transformer",
    "dim-emb": WIDTH,
    "dim-vocabs": [PIECES, PIECES],
    "enc-depth": ENCODER,
    "dec-depth": DECODER,
    "dec-cell": "ssru",
    "transformer-heads": HEADS,
    "transformer-decoder-autoreg": "rnn",
    "transformer-ffn-activation": "relu",
    "transformer-postprocess": "dan",
    "transformer-preprocess": "",
    "tied-embeddings-all": True,
}


def parameters(config: dict[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Random parameters by Marian's names; those of two dimensions become integers when written."""
    random = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def dense(prefix: str, part: str, *shape: int, bias: bool = True) -> None:
        made[f"{prefix}_W{part}"] = random.normal(0, shape[0] ** -0.5, shape)
        if bias:
            made[f"{prefix}_b{part}"] = random.normal(0, 0.3, shape[1])

    def norm(prefix: str) -> None:
        made[f"{prefix}_ln_scale"] = random.normal(1, 0.1, WIDTH)
        made[f"{prefix}_ln_bias"] = random.normal(0, 0.1, WIDTH)

    def attention(prefix: str) -> None:
        for part in "qkvo":
            dense(prefix, part, WIDTH, WIDTH)
        norm(f"{prefix}_Wo")

    def feed_forward(prefix: str) -> None:
        dense(prefix, "1", WIDTH, INNER)
        dense(prefix, "2", INNER, WIDTH)
        norm(f"{prefix}_ffn")

    for layer in range(1, ENCODER + 1):
        attention(f"encoder_l{layer}_self")
        feed_forward(f"encoder_l{layer}_ffn")
    for layer in range(1, DECODER + 1):
        dense(f"decoder_l{layer}_rnn", "", WIDTH, WIDTH, bias=False)
        dense(f"decoder_l{layer}_rnn", "f", WIDTH, WIDTH)
        norm(f"decoder_l{layer}_rnn_ffn")
        attention(f"decoder_l{layer}_context")
        feed_forward(f"decoder_l{layer}_ffn")
    whole = config.get("tied-embeddings-all")
    for name in ("Wemb",) if whole else ("encoder_Wemb", "decoder_Wemb"):
        made[name] = random.normal(0, 0.5, (PIECES, WIDTH))
    if not (whole or config.get("tied-embeddings")):
        made["decoder_ff_logit_out_W"] = random.normal(0, 0.5, (WIDTH, PIECES))
    made["decoder_ff_logit_out_b"] = random.normal(0, 0.3, PIECES)
    return made


def write(path: Path, config: dict[str, Any], made: dict[str, np.ndarray]) -> None:
    """A Marian file, format 1."""
    items: list[tuple[str, int, tuple[int, ...], bytes]] = []
    for name, value in made.items():
        if value.ndim == 2:
            multiplier = 127 / np.abs(value).max()
            stored = value if name.endswith("Wemb") else value.T
            data = np.rint(stored * multiplier).astype(np.int8).tobytes()
            items.append((name, INTGEMM8, value.shape, data + struct.pack("<f", multiplier)))
        else:
            data = value.astype(np.float32).tobytes()
            items.append((name, FLOAT32, (1, len(value)), data))
    settings = yaml.safe_dump(config).encode() + b"\0"
    items.append(("special:model.yml", CHARACTERS, (len(settings),), settings))
    items = [(*item[:3], item[3] + bytes(-len(item[3]) % 256)) for item in items]
    with path.open("wb") as file:
        file.write(struct.pack("<2Q", 1, len(items)))
        for name, kind, shape, data in items:
            file.write(struct.pack("<4Q", len(name) + 1, kind, len(shape), len(data)))
        for name, *_ in items:
            file.write(name.encode() + b"\0")
        for _, _, shape, _ in items:
            file.write(struct.pack(f"<{len(shape)}i", *shape))
        padding = -(file.tell() + 8) % 256
        file.write(struct.pack("<Q", padding) + bytes(padding))
        for *_, data in items:
            file.write(data)


def student(folder: Path, **changed: Any) -> dict[str, np.ndarray]:
    """A model with its vocabulary in ``folder``, as Firefox has them; its parameters."""
    config = CONFIG | changed
    made = parameters(config)
    folder.mkdir(exist_ok=True)
    write(folder / "model.xxyy.intgemm.alphas.bin", config, made)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_prefix=str(folder / "vocab.xxyy"),
        vocab_size=PIECES,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
        eos_id=0,
        unk_id=1,
        bos_id=-1,
        pad_id=-1,
    )
    (folder / "vocab.xxyy.model").rename(folder / "vocab.xxyy.spm")
    return made
