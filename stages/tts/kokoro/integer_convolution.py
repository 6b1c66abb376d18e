"""Integer convolutions of an ONNX graph as matrix products: the same numbers, faster.

onnxruntime's ``ConvInteger`` packs its weights again at every call and multiplies them unsigned.
``MatMulInteger`` with signed weights, packed once, is what processors have instructions for. A
convolution is such a product with its input beside itself once a tap (im2col: Chellapilla, Puri,
Simard, IWFHR 2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

_SEVEN_BITS = 128
"""Weights below it are exact everywhere: two products of seven and eight bits fit in sixteen."""
_TO_THE_END = 2**40


def products_are_exact() -> bool:
    """Whether this machine multiplies unsigned by signed bytes without saturation.

    Processors with AVX2 alone add pairs of products in 16 bits, where large ones are cut off.
    """
    ends = [
        helper.make_tensor_value_info("a", TensorProto.UINT8, [1, 64]),
        helper.make_tensor_value_info("product", TensorProto.INT32, [1, 16]),
    ]
    weights = numpy_helper.from_array(np.full((64, 16), 127, np.int8), "weights")
    node = helper.make_node("MatMulInteger", ["a", "weights"], ["product"])
    graph = helper.make_graph([node], "probe", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    product = session.run(None, {"a": np.full((1, 64), 255, np.uint8)})[0]
    return bool(np.all(product == 64 * 255 * 127))


def convolutions_as_products(graph: onnx.GraphProto, *, eight_bits: bool) -> None:
    """Replace, in place, every ``ConvInteger`` of one dimension, stride 1 and one group.

    Its weights and their zero point, unsigned, have to be constants of the graph.

    Args:
        graph: changed.
        eight_bits: also those whose weights need eight bits; see ``products_are_exact``.
    """
    constants = {value.name: value for value in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "ConvInteger" and _plain(node, constants, eight_bits):
            nodes += _product(node, constants, graph)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [value for value in graph.initializer if value.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _plain(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], eight_bits: bool) -> bool:
    if len(node.input) < 4 or not {node.input[1], node.input[3]} <= constants.keys():
        return False
    weights, zero = constants[node.input[1]], constants[node.input[3]]
    attributes = _attributes(node)
    return (
        weights.data_type == TensorProto.UINT8
        and len(weights.dims) == 3
        and int(np.prod(zero.dims)) == 1
        and attributes.get("strides", [1]) == [1]
        and attributes.get("group", 1) == 1
        and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
        and (eight_bits or _seven_bits(weights, zero))
    )


def _seven_bits(weights: onnx.TensorProto, zero: onnx.TensorProto) -> bool:
    return all(numpy_helper.to_array(value).max() < _SEVEN_BITS for value in (weights, zero))


def _product(
    node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], graph: onnx.GraphProto
) -> Iterator[onnx.NodeProto]:
    """Nodes with the output of ``node``; sound is ``(1, channels, time)``."""
    sound, _, zero = node.input[:3]
    (output,) = node.output
    seven_bits = _seven_bits(constants[node.input[1]], constants[node.input[3]])
    less = 64 if seven_bits else 128  # which makes them signed
    weights = numpy_helper.to_array(constants[node.input[1]]).astype(np.int16) - less
    middle = int(numpy_helper.to_array(constants[node.input[3]]).reshape(())) - less
    attributes = _attributes(node)
    before, after = attributes.get("pads", [0, 0])
    (dilation,) = attributes.get("dilations", [1])
    outs, ins, taps = weights.shape

    def constant(name: str, value: object, kind: type[np.generic] = np.int64) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(value, kind), f"{output}.{name}"))
        return f"{output}.{name}"

    def step(kind: str, name: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(kind, list(inputs), [f"{output}.{name}"], **attributes)

    yield step("Transpose", "rows", sound, perm=[0, 2, 1])
    time = constant("time", [1])
    yield step(
        "Pad", "padded", f"{output}.rows", constant("pads", [0, before, 0, 0, after, 0]), zero
    )
    for tap in range(taps):
        first, left = tap * dilation, (taps - 1 - tap) * dilation
        last = -left if left else _TO_THE_END
        bounds = constant(f"first{tap}", [first]), constant(f"last{tap}", [last])
        yield step("Slice", f"tap{tap}", f"{output}.padded", *bounds, time)
    yield step("Concat", "taps", *(f"{output}.tap{tap}" for tap in range(taps)), axis=2)
    matrix = weights.transpose(2, 1, 0).reshape(taps * ins, outs)
    yield step(
        "MatMulInteger", "product", f"{output}.taps", constant("weights", matrix, np.int8), zero,
        constant("middle", middle, np.int8),
    )  # fmt: skip
    yield helper.make_node("Transpose", [f"{output}.product"], [output], perm=[0, 2, 1])
