from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.ws_server import talk


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float32]]:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    return path, talk(path)
