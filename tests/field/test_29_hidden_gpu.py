"""The systemd unit hid the GPU, and recognition fell back to the CPU without a word; the unit must
let it be used, and the log say where recognition runs, and of a GPU that is there but hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages import gpu
from stages.asr.whisper_model import _tell

UNIT = Path(__file__).parents[2] / "packaging" / "livedub.service"


@pytest.mark.parametrize(
    ("driver", "device", "hidden"),
    [(True, None, True), (True, "nvidia0", False), (False, None, False), (True, "nvidiactl", True)],
    ids=["hidden", "usable", "no GPU", "control device alone"],
)
def test_a_gpu_that_is_there_but_hidden(
    driver: bool, device: str | None, hidden: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(gpu, "DEVICES", tmp_path / "dev")
    (tmp_path / "dev").mkdir()
    if driver:
        (tmp_path / "driver" / "0000:01:00.0").mkdir(parents=True)
    if device is not None:
        (tmp_path / "dev" / device).touch()
    assert gpu.hidden() is hidden


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_log_says_where_recognition_runs(
    device: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stages.asr.whisper_model.hidden", lambda: True)
    caplog.set_level("INFO")
    _tell(device)
    assert f"recognition runs on the {'CPU' if device == 'cpu' else 'GPU'}" in caplog.text
    assert ("has an NVIDIA GPU that livedub may not use" in caplog.text) is (device == "cpu")


def test_the_unit_shuts_out_all_devices_but_gpus() -> None:
    lines = UNIT.read_text().splitlines()
    assert "DevicePolicy=closed" in lines and "PrivateDevices=yes" not in lines
    allowed = {line.split("=")[1].split()[0] for line in lines if line.startswith("DeviceAllow=")}
    assert {"char-nvidia", "char-nvidiactl", "char-nvidia-uvm"} <= allowed
    assert all(name.startswith("char-nvidia") for name in allowed)
