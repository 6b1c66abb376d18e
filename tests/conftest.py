"""Media that the tests share."""

import asyncio
import inspect
import os

import pytest
from hypothesis import settings

from benchmarks.demo_clip import Clip, Line, make_clip
from tests.helpers.virtual_time import run_virtual

# How long an example takes says how busy the machine is.
settings.register_profile("livedub", deadline=None)
settings.load_profile("livedub")

LONGEST = (
    "test_pages.py",
    "test_live.py",
    "test_synthesisers.py",
    "test_file.py",
    "test_finetune.py",
    "test_listen.py",
    "test_evaluation.py",
    "test_voices.py",
    "test_whep.py",
    "test_hls_browser.py",
    "test_intelligibility.py",
    "test_studio_preset.py",
    "test_api_fuzz.py",
    "test_hang.py",
    "test_clients.py",
)
"""Files that take longest."""

SHORT = (
    Line("Good morning, and welcome to the river ferry.", 0.9),
    Line("Please keep your bags with you.", 1.1),
    Line("Thank you for travelling with us.", 1.0),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function: on a virtual clock where it is so marked."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    if pyfuncitem.get_closest_marker("virtual_time"):
        run_virtual(test)
    else:
        asyncio.run(test)
    return True


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Three spoken sentences under a test picture."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", script=SHORT, size="160x90")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where everything is supposed to be there, a skipped test is a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if os.environ.get("LIVEDUB_NO_SKIP") and skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
