r"""A translator that knows the demo clip's sentences in Russian, and nothing else.

    python -m benchmarks.russian demo/en-ru
    livedub file demo/clip.mp4 demo/russian.mp4 --target-lang ru --set tts.engine=espeak \
      --set mt.engine=ctranslate2 --set mt.model=demo/en-ru

No Python package brings a translator into Russian, but a Russian dub can be tried without a
download all the same: a Marian model of 0.4 million parameters learns the fourteen sentences
by heart, as spoken and as a recogniser may write them. Needs livedub[convert].
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.demo_clip import SCRIPT

RUSSIAN = (
    "Доброе утро, добро пожаловать на речной паром.",
    "Меня зовут Джо.",
    "Этот паром ходит через реку каждые двадцать минут, с раннего утра до последнего поезда ночью.",
    "Сама поездка занимает около одиннадцати минут.",
    "Не оставляйте свои вещи.",
    "Слева вы видите старый рынок.",
    "Его построили почти двести лет назад, сюда каждую неделю приезжали крестьяне с фруктами, "
    "хлебом и рыбой.",
    "Вода сегодня очень спокойна.",
    "А теперь посмотрите на мост перед нами.",
    "Каждый день по нему проходит больше девяти тысяч человек.",
    "Осторожно, ступенька.",
    "Летом на том берегу открывают небольшой пляж, и после школы там купаются дети.",
    "Спасибо, что вы с нами.",
    "Надеемся скоро увидеть вас снова.",
)
SPELT = {
    "twenty": "20",
    "eleven": "11",
    "two hundred": "200",
    "nine thousand": "9,000",
    "travelling": "traveling",
}
"""How a recogniser writes what was said."""

STEPS = 600


def pairs() -> list[tuple[str, str]]:
    """English and Russian; the English in each of the ways in which it may be written."""
    found = []
    for line, russian in zip(SCRIPT, RUSSIAN, strict=True):
        spoken = line.text.replace(" |", "")
        spelt = spoken
        for words, figures in SPELT.items():
            spelt = spelt.replace(words, figures)
        for text in (spoken, spelt):
            bare = re.sub(r"[.,]", "", text)
            for form in (text, text.replace(",", ""), bare, bare.lower(), text.lower()):
                found.append((form, russian))
    return list(dict.fromkeys(found))


def make(folder: Path) -> None:
    """Teach the model and leave it as a checkpoint that ``mt.model`` takes."""
    import torch
    from transformers import MarianMTModel

    folder.mkdir(parents=True, exist_ok=True)
    tokeniser = marian_tokeniser(folder, [text for pair in pairs() for text in pair], 400)
    torch.manual_seed(0)
    model = MarianMTModel(_shape(tokeniser))
    torch.set_num_threads(1)  # so little work is slower shared out
    texts = pairs()
    optimiser = torch.optim.AdamW(model.parameters())
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=STEPS)
    randoms = random.Random(0)
    model.train()
    for _ in range(STEPS):
        drawn = randoms.sample(texts, 16)
        batch = tokeniser(
            [english for english, _ in drawn],
            text_target=[russian for _, russian in drawn],
            padding=True,
            return_tensors="pt",
        )
        batch["labels"][batch["labels"] == tokeniser.pad_token_id] = -100
        loss = model(**batch).loss
        loss.backward()
        optimiser.step()
        pace.step()
        optimiser.zero_grad()
    print(f"{len(texts)} pairs, {STEPS} steps, loss {loss.item():.4f}")
    model.eval().save_pretrained(folder)


def pieces(folder: Path, prefix: str, lines: Sequence[str], size: int) -> list[str]:
    """What a SentencePiece model of ``lines`` can write; the model is left as ``prefix.model``."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(folder / prefix),
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{prefix}.model"))
    return [model.id_to_piece(index) for index in range(3, model.get_piece_size())]


def marian_tokeniser(
    folder: Path, lines: Sequence[str], size: int, markers: Sequence[str] = ()
) -> Any:
    """A Marian tokeniser with one model for both languages, saved in ``folder``.

    Args:
        folder: of the checkpoint.
        lines: that it shall be able to write.
        size: most pieces of words.
        markers: of the target languages, where there are several.
    """
    from transformers import MarianTokenizer

    words = pieces(folder, "source", lines, size)
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    tokens = ["</s>", "<unk>", *words, *markers, "<pad>"]
    index = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(index))
    files = {"source_spm": "source.spm", "target_spm": "target.spm", "vocab": "vocab.json"}
    tokeniser = MarianTokenizer(**{key: str(folder / file) for key, file in files.items()})
    tokeniser.save_pretrained(folder)
    return tokeniser


def _shape(tokeniser: Any) -> Any:
    from transformers import MarianConfig

    return MarianConfig(
        vocab_size=len(tokeniser),
        d_model=96,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=192,
        decoder_ffn_dim=192,
        dropout=0.0,
        max_position_embeddings=128,
        pad_token_id=tokeniser.pad_token_id,
        decoder_start_token_id=tokeniser.pad_token_id,
        eos_token_id=tokeniser.eos_token_id,
        forced_eos_token_id=tokeniser.eos_token_id,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the checkpoint")
    make(parser.parse_args().folder)
