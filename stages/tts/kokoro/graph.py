"""Kokoro's graph in parts: what is said and when, and the sound of it, made the faster way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.utils import Extractor

from stages.base import EngineError
from stages.tts.kokoro.generator import BLOCKS, DILATIONS, HALVES, UPSAMPLINGS
from stages.tts.kokoro.integer_convolution import convolutions_as_products, products_are_exact
from stages.weights.cache import atomic_directory, cache_dir, locked
from stages.weights.checksums import sha256
from stream.frames import Samples

FEATURES = "/encoder/MatMul_1_output_0"
"""Text features over time, shape ``(1, 512, frames)``; a frame is 25 ms."""
PITCH = "/encoder/Reshape_output_0"
"""Fundamental frequency, Hz, shape ``(1, 2 * frames)``."""
ENERGY = "/encoder/Reshape_1_output_0"
"""Log energy, shape ``(1, 2 * frames)``."""

PROSODY = (FEATURES, PITCH, ENERGY)

_IN = "/decoder/decoder/generator/"
_DECODED = f"{_IN}LeakyRelu"
"""The generator's first node; its input is decoded and goes to the generator in numpy."""
HARMONICS = tuple(f"{_IN}noise_convs.{stage}/Conv_output_0" for stage in range(len(UPSAMPLINGS)))
"""The voice's source before each upsampling, shape ``(1, channels, time)``."""
SPECTRUM = f"{_IN}conv_post/Conv_output_0"
"""Log-magnitudes and phases, shape ``(1, 22, frames)``."""
_STYLED = [f"{name}.adain{half}.{i}" for name in BLOCKS for half in HALVES for i in range(3)]
STYLE = {
    f"{norm}.{kind}": f"{_IN}{norm.replace('.adain', '/adain')}/{value}_output_0"
    for norm in _STYLED
    for kind, value in (("gain", "Add_1"), ("shift", "Slice_1"))
}
"""Gain and shift of the generator's normalisations, by the names that it has for them."""

TEXT, SOUND = "text.onnx", "sound.onnx"
DECODER, WEIGHTS, WAVEFORM = "decoder.onnx", "generator.npz", "waveform.onnx"

_FORM = 2
"""Of what is kept in the cache; one more whenever that changes."""


def parts(model: Path, faster: Callable[[Path], bool]) -> Path:
    """A folder of the graph in parts, kept in the cache once made.

    Always ``TEXT``, from tokens to ``PROSODY``, about a tenth of the cost. From there to the sound
    either ``SOUND``, or ``DECODER``, ``WEIGHTS`` of the generator, and ``WAVEFORM``.

    Args:
        model: a ``kokoro-v1.0`` ONNX file.
        faster: whether the latter are faster here and sound alike, given a folder with all of them.

    Raises:
        EngineError: if the file is no such graph.
    """
    eight_bits = products_are_exact()
    name = f"{sha256(model)[:16]}.{8 if eight_bits else 7}-bit.{_FORM}"
    folder = cache_dir() / "kokoro" / name
    with locked(folder):
        if not folder.exists():
            with atomic_directory(folder) as made:
                _split(model, made, eight_bits)
                divided = (made / WEIGHTS).exists()
                unused = [SOUND] if divided and faster(made) else [DECODER, WEIGHTS, WAVEFORM]
                for file in unused:
                    (made / file).unlink(missing_ok=True)
    return folder


def _split(model: Path, folder: Path, eight_bits: bool) -> None:
    def save(part: onnx.ModelProto, name: str) -> None:
        convolutions_as_products(part.graph, eight_bits=eight_bits)
        (folder / name).write_bytes(part.SerializeToString())

    try:
        graph = onnx.load(model)
        weights = _generator_weights(graph.graph)
        decoded = next((n.input[0] for n in graph.graph.node if n.name == _DECODED), "")
        for name in (*PROSODY, decoded, *HARMONICS, SPECTRUM, *STYLE.values()):
            value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            graph.graph.value_info.append(value)
        extractor = Extractor(graph)
        save(extractor.extract_model(["tokens", "style", "speed"], list(PROSODY)), TEXT)
        inputs = [*PROSODY, "style"]
        save(extractor.extract_model(inputs, ["audio"]), SOUND)
        if weights and decoded:
            outputs = [decoded, *HARMONICS, *STYLE.values()]
            save(extractor.extract_model(inputs, outputs), DECODER)
            save(extractor.extract_model([SPECTRUM], ["audio"]), WAVEFORM)
            np.savez(folder / WEIGHTS, **weights)  # type: ignore[arg-type]
    except Exception as error:  # protobuf's and onnx's errors have no common base
        raise EngineError(f"{model} is not a Kokoro model in ONNX form: {error}") from error


def _generator_weights(graph: onnx.GraphProto) -> Mapping[str, Samples]:
    """What ``Generator`` takes; nothing if the graph does not hold it in the form known here."""
    constants = {value.name: value for value in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    weights: dict[str, Samples] = {}

    def constant(name: str) -> Samples:
        return numpy_helper.to_array(constants[name]).astype(np.float32)

    def named(name: str) -> Samples:
        return constant(f"decoder.decoder.generator.{name}")

    def integer(name: str) -> Samples:
        _, quantised, _, zero = nodes[f"{_IN}{name}/Conv_quant"].input
        scales = nodes[f"decoder.decoder.generator.{name.replace('/', '.')}.bias_scale_node"]
        return (constant(quantised) - constant(zero)) * constant(scales.input[1])

    def taps_first(kernel: Samples) -> Samples:
        return np.ascontiguousarray(kernel.transpose(2, 1, 0))

    try:
        for name in BLOCKS:
            for half in HALVES:
                for i in range(len(DILATIONS)):
                    convolution = f"convs{half}.{i}"
                    weights[f"{name}.{convolution}.weight"] = taps_first(
                        integer(f"{name}/{convolution}")
                    )
                    weights[f"{name}.{convolution}.bias"] = named(f"{name}.{convolution}.bias")
                    weights[f"{name}.alpha{half}.{i}"] = named(f"{name}.alpha{half}.{i}").ravel()
        for i in range(len(UPSAMPLINGS)):
            _, kernel, bias = nodes[f"{_IN}ups.{i}/ConvTranspose"].input
            weights[f"ups.{i}.weight"] = constant(kernel)
            weights[f"ups.{i}.bias"] = constant(bias)
        _, kernel, bias = nodes[f"{_IN}conv_post/Conv"].input
        weights["conv_post.weight"] = taps_first(constant(kernel))
        weights["conv_post.bias"] = constant(bias)
    except (KeyError, ValueError):
        return {}
    return weights
