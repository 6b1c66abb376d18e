"""Convolutions made matrix products: the same numbers to the last bit."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from stages.tts.kokoro.integer_convolution import convolutions_as_products, products_are_exact


def convolution(weights: np.ndarray, zero: int, **attributes: object) -> onnx.ModelProto:
    """A graph of one convolution, of ``x`` less ``x_zero`` by ``weights`` less ``zero``."""
    ends = [
        helper.make_tensor_value_info("x", TensorProto.UINT8, [1, weights.shape[1], None]),
        helper.make_tensor_value_info("x_zero", TensorProto.UINT8, []),
        helper.make_tensor_value_info("y", TensorProto.INT32, [1, weights.shape[0], None]),
    ]
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array(zero, np.uint8), "w_zero"),
    ]
    node = helper.make_node("ConvInteger", ["x", "w", "x_zero", "w_zero"], ["y"], **attributes)
    graph = helper.make_graph([node], "g", ends[:2], ends[2:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, sound: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, sound)[0])


@given(st.data())
def test_a_product_has_the_numbers_of_its_convolution(data: st.DataObject) -> None:
    ins, outs, taps, dilation = (data.draw(st.integers(1, most)) for most in (5, 5, 7, 4))
    pads = [data.draw(st.integers(0, 9)) for _ in range(2)]
    # At least one sample comes out.
    length = data.draw(st.integers(max(1, (taps - 1) * dilation + 1 - sum(pads)), 40))
    values = data.draw(st.sampled_from([128, 256]))
    seed, sound_zero = (data.draw(st.integers(0, 255)) for _ in range(2))
    zero = data.draw(st.integers(0, values - 1))
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, values, (outs, ins, taps)).astype(np.uint8)
    sound = {
        "x": rng.integers(0, 256, (1, ins, length)).astype(np.uint8),
        "x_zero": np.array(sound_zero, np.uint8),
    }
    model = convolution(weights, zero, dilations=[dilation], pads=pads)
    expected = run(model, sound)
    convolutions_as_products(model.graph, eight_bits=True)
    assert "ConvInteger" not in {node.op_type for node in model.graph.node}
    onnx.checker.check_model(model)
    (exact,) = ReferenceEvaluator(model).run(None, sound)
    np.testing.assert_array_equal(exact, expected)
    if values == 128 or products_are_exact():
        np.testing.assert_array_equal(run(model, sound), expected)


@pytest.mark.parametrize("attributes", [{"strides": [2]}, {"group": 2}, {"auto_pad": "SAME_UPPER"}])
def test_other_convolutions_stay(attributes: dict[str, object]) -> None:
    weights = np.ones((2, 2 // int(str(attributes.get("group", 1))), 3), np.uint8)
    model = convolution(weights, 3, **attributes)
    convolutions_as_products(model.graph, eight_bits=True)
    assert [node.op_type for node in model.graph.node] == ["ConvInteger"]


@pytest.mark.parametrize(("largest", "kept"), [(127, 0), (128, 1)])
def test_weights_of_eight_bits_stay_where_products_would_saturate(largest: int, kept: int) -> None:
    model = convolution(np.full((2, 2, 3), largest, np.uint8), 3)
    convolutions_as_products(model.graph, eight_bits=False)
    assert [node.op_type for node in model.graph.node].count("ConvInteger") == kept


def test_extreme_numbers_of_seven_bits_do_not_saturate() -> None:
    model = convolution(np.full((16, 64, 1), 127, np.uint8), 0)
    sound = {"x": np.full((1, 64, 5), 255, np.uint8), "x_zero": np.array(0, np.uint8)}
    convolutions_as_products(model.graph, eight_bits=False)
    np.testing.assert_array_equal(run(model, sound), np.full((1, 16, 5), 64 * 255 * 127))
