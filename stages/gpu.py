"""GPUs as PyTorch and the system see them, and the memory that this process holds there."""

from __future__ import annotations

import sys
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver names the GPUs of the machine, containers and sandboxes or not."""

DEVICES = Path("/dev")


def hidden() -> bool:
    """Whether the machine has NVIDIA GPUs, none of which this process may open."""
    try:
        present = any(DRIVER.iterdir())
    except OSError:
        return False
    return present and not any(DEVICES.glob("nvidia[0-9]*"))


def has_cuda() -> bool:
    """Whether CTranslate2 runs on a GPU here, which recognition and Marian then do."""
    import ctranslate2

    return bool(ctranslate2.get_cuda_device_count())


def peak_gpu() -> int | None:
    """Peak bytes held so far; ``None`` if PyTorch has not used a GPU.

    PyTorch is not imported to find out: if nothing else did, it holds nothing.
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_available() or not cuda.is_initialized():
        return None
    peak: int = cuda.max_memory_reserved()
    return peak


def gpus() -> tuple[str, ...]:
    """Name and memory of each GPU that PyTorch can use; imports PyTorch."""
    try:
        import torch

        found = [
            torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())
        ]
    except (ImportError, OSError, RuntimeError):
        return ()
    return tuple(f"{device.name}, {device.total_memory / 2**30:.0f} GiB" for device in found)
