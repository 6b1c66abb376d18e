"""A voice of Piper's interface that weighs nothing: each phoneme is a short sound of its own."""

import json
from pathlib import Path

import numpy as np

from stages.weights.resolve import resolve

NAMES = ("one", "two", "three")
SYMBOLS, WIDTH, HOP, FRAMES = 256, 4, 256, 1
"""Phonemes, size of an embedding, samples of a frame at 22.05 kHz, frames of a phoneme."""


def tiny_piper(language: str, speakers: int = 1) -> dict[str, bytes]:
    """The two files of a voice: an embedding, a length regulator and an upsampling convolution.

    Args:
        language: eSpeak NG's name of its language.
        speakers: of the model, ``one``, ``two``, ... each an octave higher than the one before.

    Returns:
        The graph and its configuration, as ``.onnx`` and ``.onnx.json``.
    """
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    table = random.uniform(-1, 1, (SYMBOLS, WIDTH)).astype(np.float32)
    phase = 2 * np.pi * np.arange(HOP) / HOP
    first = 2 if speakers == 1 else 1
    harmonics = np.outer(2 ** np.arange(speakers), np.arange(first, first + WIDTH))
    waves = np.sin(harmonics[:, :, None, None] * phase).astype(np.float32) / WIDTH

    constants = {
        "table": table,
        "voices": waves,
        **({} if speakers > 1 else {"sid": np.array([0])}),
        "scale_at": np.array(1),
        "frames": np.array(FRAMES, np.float32),
        "axis": np.array([0]),
        "around": np.array([1, 1]),
        "one": np.array([1]),
        "wide": np.array([1, -1, WIDTH]),
        "last": np.array([2]),
    }
    nodes = [
        ("Gather", ["voices", "sid"], "voice", {}),
        ("Squeeze", ["voice", "axis"], "waves", {}),
        ("Gather", ["table", "input"], "embedded", {}),  # (1, phonemes, WIDTH)
        ("Unsqueeze", ["embedded", "last"], "lone", {}),
        ("Gather", ["scales", "scale_at"], "scale", {}),
        ("Mul", ["scale", "frames"], "length", {}),
        ("Ceil", ["length"], "whole", {}),
        ("Cast", ["whole"], "times", {"to": TensorProto.INT64}),
        ("Unsqueeze", ["times", "axis"], "repeats", {}),
        ("Concat", ["around", "repeats", "one"], "shape", {"axis": 0}),
        ("Expand", ["lone", "shape"], "longer", {}),  # (1, phonemes, frames, WIDTH)
        ("Reshape", ["longer", "wide"], "sequence", {}),
        ("Transpose", ["sequence"], "channels", {"perm": [0, 2, 1]}),
        ("ConvTranspose", ["channels", "waves"], "sound", {"strides": [HOP]}),
        ("Unsqueeze", ["sound", "one"], "output", {}),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [made], **more) for op, inputs, made, more in nodes],
        "tiny",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, None]),
            helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
            *[helper.make_tensor_value_info("sid", TensorProto.INT64, [1])] * (speakers > 1),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    config = json.loads(Path(f"{resolve('joe')}.json").read_text("utf-8"))
    config["espeak"]["voice"] = language
    if speakers > 1:
        config["num_speakers"] = speakers
        config["speaker_id_map"] = {NAMES[number]: number for number in range(speakers)}
    return {".onnx": model.SerializeToString(), ".onnx.json": json.dumps(config).encode()}
