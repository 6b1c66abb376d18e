"""Servers that several folders need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.nginx_rtmp import Nginx


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    (tmp_path / "nginx").mkdir()
    server_ = Nginx(tmp_path / "nginx")
    yield server_
    server_.kill()
