"""Kokoro's graph in two halves: what is said and when, and the sound of it."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx.utils import Extractor

from stages.base import EngineError
from stages.tts.kokoro.integer_convolution import convolutions_as_products, products_are_exact
from stages.weights.cache import atomic_file, cache_dir, locked
from stages.weights.checksums import sha256

FEATURES = "/encoder/MatMul_1_output_0"
"""Text features over time, shape ``(1, 512, frames)``; a frame is 25 ms."""
PITCH = "/encoder/Reshape_output_0"
"""Fundamental frequency, Hz, shape ``(1, 2 * frames)``."""
ENERGY = "/encoder/Reshape_1_output_0"
"""Log energy, shape ``(1, 2 * frames)``."""

PROSODY = (FEATURES, PITCH, ENERGY)


def halves(model: Path) -> tuple[Path, Path]:
    """The graph cut after its prosody, kept in the cache once made.

    Where this machine computes them exactly, convolutions become matrix products: the same sound in
    two thirds of the time.

    Args:
        model: a ``kokoro-v1.0`` ONNX file.

    Returns:
        Files of the half from tokens to ``PROSODY``, about a tenth of the cost, and of the
        half from there to sound.

    Raises:
        EngineError: if the file is no such graph.
    """
    folder = cache_dir() / "kokoro"
    digest = sha256(model)[:16]
    products = products_are_exact()
    kind = "products" if products else "sound"
    text, sound = folder / f"{digest}.text.onnx", folder / f"{digest}.{kind}.onnx"
    with locked(folder / digest):
        if not (text.exists() and sound.exists()):
            _split(model, text, sound, products)
    return text, sound


def _split(model: Path, text: Path, sound: Path, products: bool) -> None:
    try:
        graph = onnx.load(model)
        for name in PROSODY:
            value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            graph.graph.value_info.append(value)
        extractor = Extractor(graph)
        front = extractor.extract_model(["tokens", "style", "speed"], list(PROSODY))
        back = extractor.extract_model([*PROSODY, "style"], ["audio"])
        if products:
            convolutions_as_products(back.graph)
    except Exception as error:  # protobuf's and onnx's errors have no common base
        raise EngineError(f"{model} is not a Kokoro model in ONNX form: {error}") from error
    for path, half in ((text, front), (sound, back)):
        with atomic_file(path) as file:
            file.write(half.SerializeToString())
