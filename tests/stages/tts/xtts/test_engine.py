"""XTTS beyond what every synthesiser keeps to: streaming, takes, checkpoints."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.base import EngineError
from stages.registry import create, missing
from stages.tts.xtts.options import XttsOptions
from stream.frames import PLAIN, Manner, Samples
from tests.helpers.xtts_speech import TEXT, make, speak

if missing("tts", "xtts"):
    pytest.skip("needs livedub[xtts]", allow_module_level=True)


def test_sound_leaves_before_the_sentence_is_done(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = counted(monkeypatch)
    pieces = engine._pieces(TEXT, PLAIN)
    first = next(pieces)
    assert len(first) and steps[0] == 20
    rest = list(pieces)
    assert steps[0] == 40 and len(rest) >= 2


async def test_closing_stops_the_model_in_the_middle(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = counted(monkeypatch)

    async def one_piece() -> None:
        stream = engine.synthesise(TEXT * 20)
        await anext(stream)
        await stream.aclose()
        await engine.aclose()

    await one_piece()
    assert steps[0] == 20


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps the language model takes."""
    from stages.tts.xtts import engine as xtts

    steps, real = [0], xtts.decode

    def decode(*args: Any) -> Iterator[Any]:
        for step in real(*args):
            steps[0] += 1
            yield step

    monkeypatch.setattr(xtts, "decode", decode)
    return steps


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.27])
def test_pieces_of_any_size_equal_the_whole(engine: Any, rate: float) -> None:
    import torch

    from stages.tts.xtts.vocoder import PiecewiseVocoder

    latents = torch.randn(70, 1, 64, generator=torch.Generator().manual_seed(1))
    decoder, speaker = engine._model.hifigan_decoder, engine._voice.speaker

    def made(sizes: list[int]) -> Samples:
        vocoder = PiecewiseVocoder(decoder, speaker, rate)
        sounds, start = [], 0
        for size in sizes:
            for latent in latents[start : start + size]:
                vocoder.add(latent)
            start += size
            sounds.append(vocoder.take())
        sounds.append(vocoder.take(final=True))
        assert len(vocoder.take(final=True)) == 0
        return np.concatenate(sounds)

    whole = made([70])
    for sizes in ([1] * 70, [20, 20, 20, 10], [8, 50, 12]):
        assert np.allclose(made(sizes), whole, atol=2e-5)
    with torch.inference_mode():
        stretched = torch.nn.functional.interpolate(
            latents.transpose(0, 1).transpose(1, 2), scale_factor=1 / rate, mode="linear"
        ).transpose(1, 2)
        theirs = decoder(stretched if rate != 1 else latents.transpose(0, 1), g=speaker)
    assert np.allclose(whole, theirs.numpy().ravel(), atol=2e-5)


def test_codes_are_those_that_coqui_samples(engine: Any) -> None:
    """Without chance, by taking the likeliest code each time."""
    import torch

    from stages.tts.xtts.decode import decode, prefix

    gpt, voice = engine._model.gpt, engine._voice
    tokens = engine._model.tokenizer.encode(TEXT.lower(), lang="pt")
    options = XttsOptions(top_k=1, repetition_penalty=5.0)
    start = prefix(gpt, tokens, voice.conditioning)
    steps = list(decode(gpt, start, options, [0, 1], limit=25))
    theirs = gpt.generate(
        voice.conditioning,
        torch.tensor([tokens]),
        do_sample=False,
        num_beams=1,
        repetition_penalty=5.0,
    )
    assert [step.codes[0] for step in steps] == theirs[0, :25].tolist()
    assert all(step.codes[0] == step.codes[1] for step in steps)


def test_seeds_decide(model: Path, engine: Any) -> None:
    same, other = make(model), make(model, seed=7)
    spoken = np.concatenate(speak(engine))
    assert np.array_equal(spoken, np.concatenate(speak(same)))
    different = np.concatenate(speak(other))
    assert len(different) != len(spoken) or not np.allclose(different, spoken)
    again, anew = (np.concatenate(speak(engine, TEXT, Manner(take=n))) for n in (0, 1))
    assert np.array_equal(again, spoken)
    assert len(anew) != len(spoken) or not np.allclose(anew, spoken)


def test_sentences_made_in_turns_do_not_disturb_each_other(engine: Any) -> None:
    alone = [list(engine._pieces(text, PLAIN)) for text in (TEXT, "Um menino foi ao parque.")]
    one, two = engine._pieces(TEXT, PLAIN), engine._pieces("Um menino foi ao parque.", PLAIN)
    turns = [[next(one), *one], [next(two), *two]]
    mixed_one, mixed_two = (
        engine._pieces(TEXT, PLAIN),
        engine._pieces("Um menino foi ao parque.", PLAIN),
    )
    first, second = next(mixed_one), next(mixed_two)
    turns += [[first, *mixed_one], [second, *mixed_two]]
    for expected, got in zip([*alone, *alone], turns, strict=True):
        assert np.array_equal(np.concatenate(expected), np.concatenate(got))


def test_the_take_that_fits_the_slot_is_chosen(model: Path) -> None:
    """A model with a stop code that it likes gives takes of very different lengths."""
    import torch

    engine = make(model, candidates=8, top_k=1000, top_p=1.0, temperature=2.0)
    with torch.no_grad():
        engine._model.gpt.mel_head.bias[engine._model.gpt.stop_audio_token] += 9
    lengths = {}
    for room in (0.5, 1.5):
        spoken = speak(engine, "Amanhã vai chover.", Manner(room=room))
        lengths[room] = sum(map(len, spoken)) / engine.sample_rate
    assert lengths[0.5] < lengths[1.5]
    soon = Manner(room=0.5, deadline=time.monotonic() - 1)
    assert speak(engine, TEXT, soon)  # no time to choose: the first take streams


def test_a_loop_is_cut_and_a_bad_start_is_begun_anew(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.tts.xtts import engine as xtts

    real, seeds = xtts.decode, []

    def looping(gpt: Any, start: Any, options: Any, chosen: list[int], limit: int) -> Iterator[Any]:
        seeds.append(chosen)
        for index, step in enumerate(real(gpt, start, options, chosen, limit)):
            yield type(step)((index if index < 5 else 3,), step.latents, step.log_probabilities)

    monkeypatch.setattr(xtts, "decode", looping)
    spoken = np.concatenate(speak(engine))
    assert seeds == [[0], [1], [2]]
    assert len(spoken) / engine.sample_rate == pytest.approx(6 * 1024 / 22050, abs=0.1)


def test_a_checkpoint_that_cannot_be_is_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refused(match: str, folder: Path = tmp_path, **options: Any) -> None:
        with pytest.raises(EngineError, match=match) as caught:
            create("tts", "xtts", **{"language": "pt", "model": str(folder), **options})
        assert "\n" not in str(caught.value)

    refused("needs a model.pth")
    (tmp_path / "model.pth").write_bytes(b"nothing")
    refused("lacks its configuration")
    (tmp_path / "config.json").write_text("{}")
    refused("lacks its vocabulary")
    (tmp_path / "vocab.json").write_bytes((model / "vocab.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"model": "vits"}))
    refused("is no XTTS model: its config.json is of 'vits'")
    (tmp_path / "config.json").write_bytes((model / "config.json").read_bytes())
    refused("no XTTS checkpoint that can be loaded")
    torch.save({"model": {"some.other": torch.zeros(1)}}, tmp_path / "model.pth")
    refused("no XTTS checkpoint that can be loaded")
    refused("does not speak 'xx'", model, language="xx")
    if not torch.cuda.is_available():
        half = XttsOptions(compute_type="float16")
        refused("needs a CUDA GPU", model, options=half)
    monkeypatch.setenv("LIVEDUB_OFFLINE", "1")
    monkeypatch.setenv("LIVEDUB_ACCEPT_LICENCE", "CPML")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    refused("'coqui/XTTS-v2' is not on this machine", Path("coqui/XTTS-v2"))


def test_half_precision_speaks(model: Path, engine: Any) -> None:
    """On a CPU it is refused, being slow; that it would work is shown all the same."""
    import torch

    from stages.tts.xtts.checkpoint import _prepare

    other = make(model)
    _prepare(other._model, "cpu", torch.bfloat16)
    spoken = np.concatenate(speak(other))
    assert np.isfinite(spoken).all() and len(spoken) > 10_000


def test_a_fine_tuned_checkpoint_keeps_its_file(model: Path, tmp_path: Path) -> None:
    """A trainer writes ``xtts.``-prefixed weights under another name, and no speakers."""
    import torch

    weights = torch.load(model / "model.pth", weights_only=True)["model"]
    trained = {"model": {f"xtts.{key}": value for key, value in weights.items()}, "step": 10}
    torch.save(trained, tmp_path / "best_model_10.pth")
    before = (tmp_path / "best_model_10.pth").stat()
    for file in ("config.json", "vocab.json"):
        (tmp_path / file).write_bytes((model / file).read_bytes())
    with pytest.raises(EngineError, match="no speakers of its own"):
        make(tmp_path)
    after = (tmp_path / "best_model_10.pth").stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
