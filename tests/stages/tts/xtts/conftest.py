from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.tiny_xtts import narrow_xtts, tiny_xtts
from tests.helpers.xtts_speech import make


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with narrow_xtts(), pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("xtts")
        patch.setenv("LIVEDUB_CACHE", str(folder / "cache"))
        yield tiny_xtts(folder / "model", codes=40)


@pytest.fixture(scope="module")
def engine(model: Path) -> Any:
    return make(model)
