"""The graph of Firefox's student models for onnxruntime, made from a Marian file.

A student is a transformer whose decoder has no self-attention: its only memory are the cells of
simpler simple recurrent units, so that a step costs the same wherever in the sentence it is.

References:
    Y. J. Kim, M. Junczys-Dowmunt, H. Hassan, A. F. Aji, K. Heafield, R. Grundkiewicz, N. Bogoychev:
    From Research to Production and Back: Ludicrously Fast Neural Machine Translation. WNGT 2019,
    https://doi.org/10.18653/v1/D19-5632.

    A. Vaswani et al.: Attention Is All You Need. NeurIPS 2017, arXiv 1706.03762.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stages.base import EngineError
from stages.mt.bergamot.marian_file import MarianFile, Matrix
from stages.weights.cache import atomic_file, cache_dir, locked
from stages.weights.checksums import sha256

VERSION = 1
"""Of the graphs in the cache; to be raised when what is made here changes."""

UNKNOWN = 1
"""The token of what is not in the vocabulary; it is never written."""

_NEVER = -1e9
_LARGEST, _MIDDLE = 63, 64
"""Of seven bits: with eight, processors without VNNI overflow where they add products in pairs."""
_EPSILON = 1e-6
_EXPECTED = {
    "type": "transformer",
    "transformer-decoder-autoreg": "rnn",
    "dec-cell": "ssru",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-top": "",
    "transformer-ffn-activation": "relu",
    "transformer-ffn-depth": 2,
    "transformer-tied-layers": [],
    "transformer-no-projection": False,
    "transformer-train-position-embeddings": False,
}
"""What is common to all students."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a student, as its file says.

    Attributes:
        width: of embeddings and layers.
        heads: of attention.
        encoder: its layers.
        decoder: its layers.
        source: name of the source's embeddings.
        target: name of the target's embeddings.
        output: name of the matrix that turns the last layer into tokens, a row for each.
    """

    width: int
    heads: int
    encoder: int
    decoder: int
    source: str
    target: str
    output: str

    @classmethod
    def of(cls, file: MarianFile) -> Shape:
        """Of a model.

        Raises:
            EngineError: if it is none of the students.
        """
        config = file.config
        for key, value in _EXPECTED.items():
            if config.get(key, value) != value:
                raise EngineError(
                    f"{file.path} has {key}: {config[key]}, but livedub runs models with "
                    f"{value or 'none'}, as Firefox's translation models are."
                )
        whole = config.get("tied-embeddings-all", False)
        shared = whole or config.get("tied-embeddings-src", False)
        tied = whole or config.get("tied-embeddings", False)
        target = "Wemb" if shared else "decoder_Wemb"
        return cls(
            config["dim-emb"],
            config["transformer-heads"],
            config["enc-depth"],
            config["dec-depth"],
            "Wemb" if shared else "encoder_Wemb",
            target,
            target if tied else "decoder_ff_logit_out_W",
        )


@dataclass(frozen=True, slots=True)
class Graphs:
    """Files of a student's three graphs; ``b`` is the hypotheses, ``s`` the source's tokens.

    Attributes:
        encoder: ``x (1, s, width)`` to each decoder layer's ``keys`` and ``values``.
        step: ``x (b, 1, width)``, ``keys``, ``values`` and ``cells`` of the step before to the new
            ``cells``, ``hidden (b, 1, width)`` and ``attention (b, s)``.
        output: ``hidden`` to the ``k`` likeliest ``tokens (b, k)``, and ``total (b, 1)``, what is
            to be subtracted from scores to make them log-probabilities.
    """

    encoder: Path
    step: Path
    output: Path


def graphs(file: MarianFile, shape: Shape) -> Graphs:
    """The graphs of a model, kept in the cache once made.

    What runs once a sentence computes in floating point. What runs once a token has its matrices in
    eight bits, since reading them is most of its cost; of the tokens it names, the likeliest are
    scored again in full.

    Raises:
        EngineError: if the file lacks parameters, or the cache cannot be written.
    """
    name = f"{sha256(file.path)[:16]}.{VERSION}"
    folder = cache_dir() / "bergamot"
    found = Graphs(*(folder / f"{name}.{part}.onnx" for part in ("encoder", "step", "output")))
    made = {found.encoder: _encoder, found.step: _step, found.output: _output}
    with locked(folder / name):
        for path, make in made.items():
            if not path.exists():
                model = make(_Network(file, shape, integer=make is not _encoder))
                with atomic_file(path) as target:
                    target.write(model.SerializeToString())
    return found


class _Network:
    """A graph under construction; its methods add nodes and return the names of their outputs."""

    def __init__(self, file: MarianFile, shape: Shape, *, integer: bool) -> None:
        self.file, self.shape, self._integer = file, shape, integer
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, *dimensions: int | str, kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, dimensions))
        return name

    def constant(self, value: Any, kind: type[np.generic] = np.float32) -> str:
        name = f"constant{len(self._constants)}"
        array = np.ascontiguousarray(value, kind)
        self._constants.append(numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return name

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"value{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def parted(self, kind: str, *inputs: str, outs: list[str]) -> None:
        self._nodes.append(helper.make_node(kind, list(inputs), outs, axis=-1))

    def model(self, outputs: list[tuple[str, int]]) -> onnx.ModelProto:
        ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
        graph = helper.make_graph(self._nodes, "student", self._inputs, ends, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def dense(self, x: str, weights: str, bias: str = "") -> str:
        """``x`` times a matrix, plus a bias."""
        product = self.product(x, self.file.matrix(weights))
        return self.add("Add", product, self.constant(self.file.vector(bias))) if bias else product

    def product(self, x: str, matrix: Matrix) -> str:
        """``x`` times a matrix."""
        if self._integer:
            return self._integer_product(x, matrix)
        values = matrix.values.astype(np.float32) / np.float32(matrix.multiplier)
        return self.add("MatMul", x, self.constant(values))

    def _integer_product(self, x: str, matrix: Matrix) -> str:
        """``x`` times a matrix, nearly, each row of ``x`` quantised by itself."""
        largest = self.add("ReduceMax", self.add("Abs", x), axes=[-1], keepdims=1)
        largest = self.add("Max", largest, self.constant(1e-9))
        stretched = self.add("Mul", x, self.add("Div", self.constant(_LARGEST), largest))
        shifted = self.add("Add", self.add("Round", stretched), self.constant(_MIDDLE))
        eight = self.add("Cast", shifted, to=TensorProto.UINT8)
        zero = self.constant(_MIDDLE, np.uint8)
        whole = self.add("MatMulInteger", eight, self.constant(matrix.values, np.int8), zero)
        # Divided rather than multiplied: onnxruntime takes a product of factors for the scale of a
        # whole tensor, which here is one of each row.
        unit = self.add("Div", largest, self.constant(_LARGEST * matrix.multiplier))
        return self.add("Mul", self.add("Cast", whole, to=TensorProto.FLOAT), unit)

    def normalised(self, x: str, before: str, prefix: str) -> str:
        """The sum of a layer's outcome and what it was given, normalised."""
        scale, bias = (self.file.vector(f"{prefix}_ln_{part}") for part in ("scale", "bias"))
        total = self.add("Add", x, before)
        return self.add(
            "LayerNormalization", total, self.constant(scale), self.constant(bias),
            epsilon=_EPSILON, axis=-1,
        )  # fmt: skip

    def feed_forward(self, x: str, prefix: str) -> str:
        inner = self.add("Relu", self.dense(x, f"{prefix}_W1", f"{prefix}_b1"))
        outer = self.dense(inner, f"{prefix}_W2", f"{prefix}_b2")
        return self.normalised(outer, x, f"{prefix}_ffn")

    def heads(self, x: str, prefix: str, part: str, out: str = "") -> str:
        """Queries, keys or values by head; keys transposed, ready to be multiplied with."""
        width, heads = self.shape.width, self.shape.heads
        y = self.dense(x, f"{prefix}_W{part}", f"{prefix}_b{part}")
        split = self.add("Reshape", y, self.constant([0, -1, heads, width // heads], np.int64))
        return self.add("Transpose", split, perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3],
                        out=out)  # fmt: skip

    def attention(self, x: str, keys: str, values: str, prefix: str) -> tuple[str, str]:
        """The layer's outcome, and its weights, ``(b, heads, 1 or s, s)``."""
        width, heads = self.shape.width, self.shape.heads
        scale = self.constant((width // heads) ** -0.5)
        scores = self.add("Mul", self.add("MatMul", self.heads(x, prefix, "q"), keys), scale)
        weights = self.add("Softmax", scores, axis=-1)
        joined = self.add("Transpose", self.add("MatMul", weights, values), perm=[0, 2, 1, 3])
        flat = self.add("Reshape", joined, self.constant([0, -1, width], np.int64))
        projected = self.dense(flat, f"{prefix}_Wo", f"{prefix}_bo")
        return self.normalised(projected, x, f"{prefix}_Wo"), weights


def _encoder(network: _Network) -> onnx.ModelProto:
    shape = network.shape
    x = network.input("x", 1, "s", shape.width)
    for layer in range(1, shape.encoder + 1):
        prefix = f"encoder_l{layer}_self"
        keys, values = network.heads(x, prefix, "k"), network.heads(x, prefix, "v")
        x, _ = network.attention(x, keys, values, prefix)
        x = network.feed_forward(x, f"encoder_l{layer}_ffn")
    outputs: list[tuple[str, int]] = []
    for layer in range(1, shape.decoder + 1):
        prefix = f"decoder_l{layer}_context"
        for part, name in (("k", f"keys{layer}"), ("v", f"values{layer}")):
            outputs.append((network.heads(x, prefix, part, name), TensorProto.FLOAT))
    return network.model(outputs)


def _step(network: _Network) -> onnx.ModelProto:
    shape = network.shape
    size = shape.width // shape.heads
    x, weights = network.input("x", "b", 1, shape.width), ""
    outputs: list[tuple[str, int]] = []
    for layer in range(1, shape.decoder + 1):
        prefix = f"decoder_l{layer}"
        before = network.input(f"cell{layer}", "b", 1, shape.width)
        keys = network.input(f"keys{layer}", 1, shape.heads, size, "s")
        values = network.input(f"values{layer}", 1, shape.heads, "s", size)
        new = network.dense(x, f"{prefix}_rnn_W")
        kept = network.add("Sigmoid", network.dense(x, f"{prefix}_rnn_Wf", f"{prefix}_rnn_bf"))
        change = network.add("Mul", kept, network.add("Sub", before, new))
        cell = network.add("Add", new, change, out=f"new_cell{layer}")
        outputs.append((cell, TensorProto.FLOAT))
        x = network.normalised(network.add("Relu", cell), x, f"{prefix}_rnn_ffn")
        x, weights = network.attention(x, keys, values, f"{prefix}_context")
        x = network.feed_forward(x, f"{prefix}_ffn")
    # Guided alignment trains the first head of the last layer.
    first = network.add("Gather", weights, network.constant(0, np.int64), axis=1)
    flat = network.add("Squeeze", first, network.constant([1], np.int64), out="attention")
    hidden = network.add("Identity", x, out="hidden")
    return network.model([*outputs, (hidden, TensorProto.FLOAT), (flat, TensorProto.FLOAT)])


def _output(network: _Network) -> onnx.ModelProto:
    x = network.input("hidden", "b", 1, network.shape.width)
    k = network.input("k", 1, kind=TensorProto.INT64)
    flat = network.add("Squeeze", x, network.constant([1], np.int64))
    rows, bias = output_rows(network.file, network.shape)
    product = network.product(flat, Matrix(rows.values.T, rows.multiplier))
    scores = network.add("Add", product, network.constant(bias))
    total = network.add("ReduceLogSumExp", scores, axes=[-1], keepdims=1, out="total")
    network.parted("TopK", scores, k, outs=["highest", "tokens"])
    return network.model([("tokens", TensorProto.INT64), (total, TensorProto.FLOAT)])


def output_rows(file: MarianFile, shape: Shape) -> tuple[Matrix, Any]:
    """What turns the last layer into scores of tokens: a row for each, and their biases."""
    matrix = file.matrix(shape.output)
    if not shape.output.endswith("Wemb"):
        matrix = Matrix(matrix.values.T, matrix.multiplier)
    bias = file.vector("decoder_ff_logit_out_b").copy()
    bias[UNKNOWN] = _NEVER
    return matrix, bias
