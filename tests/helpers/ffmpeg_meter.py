import re
import subprocess
import wave
from pathlib import Path

import numpy as np


def ffmpeg_says(samples: np.ndarray, folder: Path) -> tuple[float, float]:
    """Integrated loudness and true peak by FFmpeg's ebur128 filter."""
    path = folder / "sound.wav"
    sound = samples.reshape(len(samples), -1)
    with wave.open(str(path), "wb") as file:
        file.setparams((sound.shape[1], 2, 48_000, 0, "NONE", ""))
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    filters = ["-af", "ebur128=peak=true", "-f", "null", "-"]
    done = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostats", "-i", path, *filters], capture_output=True, text=True
    )
    summary = done.stderr[done.stderr.rindex("Summary:") :]
    found = [re.search(p, summary) for p in (r"I:\s+(\S+) LUFS", r"Peak:\s+(\S+) dBFS")]
    return tuple(float(match[1]) for match in found if match)  # type: ignore[return-value]
