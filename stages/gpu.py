"""GPU memory that models of PyTorch hold in this process."""

from __future__ import annotations

import sys


def peak_gpu() -> int | None:
    """Most bytes held at once so far; ``None`` where PyTorch has not used a GPU.

    PyTorch is not loaded to find out: if nothing has, it holds nothing.
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_available() or not cuda.is_initialized():
        return None
    peak: int = cuda.max_memory_reserved()
    return peak


def gpus() -> tuple[str, ...]:
    """Name and memory of each GPU that PyTorch can use; loads PyTorch."""
    try:
        import torch

        found = [
            torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())
        ]
    except (ImportError, OSError, RuntimeError):
        return ()
    return tuple(f"{device.name}, {device.total_memory / 2**30:.0f} GiB" for device in found)
