"""Speaker embeddings: a voice as a unit vector, near all others of the same voice.

GE2E (Wan, Wang, Papir, Lopez Moreno: Generalized End-to-End Loss for Speaker Verification,
ICASSP 2018) with the weights of Resemblyzer. The network is three LSTM layers, run by
onnxruntime on one thread; torch, which the weights' own package needs, is not required.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from stages.base import EngineError
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Embedding, Samples

_LAYERS, _SIZE = 3, 256
_BANDS = 40
_FFT, _HOP = 400, 160
_WINDOW_FRAMES = 160
"""Spectra in one window of the network: 1.6 s."""
_STEP_FRAMES = 77
"""Spectra from one window to the next: 1.3 windows a second."""
_COVERED = 0.75
"""Share of the last window that must be sound; the rest is padding."""
_LEVEL_DBFS = -30.0
"""dBFS up to which quiet speech is raised, as the network was trained."""
_MISREAD = (LookupError, ValueError, TypeError, EOFError, OSError, pickle.UnpicklingError)


class Ge2e:
    """A speaker encoder.

    Args:
        model: path of a Resemblyzer checkpoint, or ``default``.

    Raises:
        EngineError: if the weights cannot be loaded or are not of this network.
    """

    def __init__(self, model: str = "default") -> None:
        path = resolve("ge2e" if model == "default" else model)
        try:
            self._network = _session(_load(path))
        except _MISREAD as error:
            raise EngineError(f"{path} is no checkpoint of the GE2E speaker encoder.") from error
        self._filters = _mel_filters()
        self._worker = Worker("speakers")

    async def embed(self, audio: Samples) -> Embedding:
        """The voice in ``audio`` (mono at ``SPEECH_RATE``), a unit vector of shape ``(256,)``."""
        return await self._worker.run(lambda: self.embedding(audio))

    async def aclose(self) -> None:
        """End the encoder's thread."""
        await self._worker.aclose()

    def embedding(self, audio: Samples) -> Embedding:
        """The same as ``embed``, in the caller's thread; silence gives zeros."""
        return _unit(self.looks(audio).mean(axis=0))

    def looks(self, audio: Samples, step: int = _STEP_FRAMES) -> Embedding:
        """Embeddings of successive stretches of 1.6 s, unit vectors, shape ``(looks, 256)``.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``.
            step: spectra of 10 ms from one stretch's start to the next one's.
        """
        frames = -(-(len(audio) + 1) // _HOP)
        starts = list(range(0, max(1, frames - _WINDOW_FRAMES + step + 1), step))
        covered = (len(audio) - starts[-1] * _HOP) / (_WINDOW_FRAMES * _HOP)
        if covered < _COVERED and len(starts) > 1:
            starts.pop()
        end = (starts[-1] + _WINDOW_FRAMES) * _HOP
        spectra = self._spectra(np.pad(_raised(audio), (0, max(0, end - len(audio)))))
        looks = np.stack([spectra[start : start + _WINDOW_FRAMES] for start in starts], axis=1)
        return _unit(self._network.run(None, {"spectra": looks})[0])

    def _spectra(self, audio: Samples) -> Samples:
        """Mel power spectra, shape ``(frames, 40)``, centred on multiples of the hop."""
        padded = np.pad(audio, _FFT // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
        window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
        power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
        return np.asarray(power @ self._filters, np.float32)


def _session(state: dict[str, NDArray[np.float32]]) -> Any:
    """The network for onnxruntime: ``(160, looks, 40)`` spectra to ``(looks, 256)``."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, flowing = [], [], "spectra"
    for layer in range(_LAYERS):
        names = [f"{name}{layer}" for name in ("w", "r", "b")]
        bias = [_reordered(state[f"lstm.bias_{side}_l{layer}"]) for side in ("ih", "hh")]
        for name, value in zip(
            names,
            (
                _reordered(state[f"lstm.weight_ih_l{layer}"]),
                _reordered(state[f"lstm.weight_hh_l{layer}"]),
                np.concatenate(bias),
            ),
            strict=True,
        ):
            constants.append(numpy_helper.from_array(value[None], name))
        outputs = [f"all{layer}", f"last{layer}"]
        nodes.append(helper.make_node("LSTM", [flowing, *names], outputs, hidden_size=_SIZE))
        flowing = f"flat{layer}"
        nodes.append(helper.make_node("Squeeze", [outputs[0], "one"], [flowing]))
    constants += [
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array([0], np.int64), "zero"),
        numpy_helper.from_array(state["linear.weight"].copy(), "linear"),
        numpy_helper.from_array(state["linear.bias"].copy(), "offset"),
    ]
    nodes += [
        helper.make_node("Squeeze", [f"last{_LAYERS - 1}", "zero"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "linear", "offset"], ["affine"], transB=1),
        helper.make_node("Relu", ["affine"], ["voice"]),
    ]
    graph = helper.make_graph(
        nodes,
        "ge2e",
        [
            helper.make_tensor_value_info(
                "spectra", TensorProto.FLOAT, [_WINDOW_FRAMES, None, _BANDS]
            )
        ],
        [helper.make_tensor_value_info("voice", TensorProto.FLOAT, [None, _SIZE])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    # It runs beside recognition, with whose threads it should not compete.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _reordered(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Torch's order of the gates (input, forget, cell, output) as ONNX's (i, o, f, c)."""
    i, f, c, o = np.split(gates, 4)
    ordered: NDArray[np.float32] = np.concatenate([i, o, f, c])
    return ordered


def _raised(audio: Samples) -> Samples:
    power = np.square(audio, dtype=np.float64).sum() / max(len(audio), 1)
    level = 10 * np.log10(power + 1e-18)
    if not -90 < level < _LEVEL_DBFS:
        return audio
    return np.asarray(audio * 10 ** ((_LEVEL_DBFS - level) / 20), np.float32)


def _unit(vectors: Samples) -> Embedding:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


def _mel_filters() -> Samples:
    """Slaney's mel scale with bands of equal area, shape ``(201, 40)``, as librosa makes them."""
    linear, log_step = 200 / 3, np.log(6.4) / 27
    top = 15 + np.log(SPEECH_RATE / 2 / 1000) / log_step
    mels = np.linspace(0, top, _BANDS + 2)
    edges = np.where(mels < 15, mels * linear, 1000 * np.exp(log_step * (mels - 15)))
    bins = np.fft.rfftfreq(_FFT, 1 / SPEECH_RATE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return np.asarray(filters, np.float32)


class _Storage:
    """A tensor's numbers, by the key under which they follow in the file."""

    def __init__(self, key: str) -> None:
        self.key = key


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], *_: object) -> None:
        self.key, self.offset, self.shape = storage.key, offset, shape


class _Checkpoint(pickle.Unpickler):
    """Reads torch's pickles, and runs nothing that is named in them."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name == "FloatStorage":
            return name
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint")

    def persistent_load(self, pid: Any) -> _Storage:
        return _Storage(pid[2])


def _load(path: Path) -> dict[str, NDArray[np.float32]]:
    """The model's tensors by name, from a file of ``torch.save`` before torch 1.6."""
    with path.open("rb") as file:
        for _ in range(3):  # magic number, protocol version, the writer's integer sizes
            _Checkpoint(file).load()
        saved = _Checkpoint(file).load()
        numbers = {key: _numbers(file) for key in _Checkpoint(file).load()}
    return {
        name: _shaped(tensor, numbers)
        for name, tensor in saved["model_state"].items()
        if isinstance(tensor, _Tensor)
    }


def _numbers(file: IO[bytes]) -> NDArray[np.float32]:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    return np.frombuffer(file.read(4 * count), "<f4")


def _shaped(tensor: _Tensor, numbers: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    size = int(np.prod(tensor.shape))
    values = numbers[tensor.key][tensor.offset : tensor.offset + size]
    return np.asarray(values, np.float32).reshape(tensor.shape)
