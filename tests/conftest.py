"""Media that the tests share."""

import asyncio
import gc
import inspect
import os
import pickle
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from benchmarks.demo_clip import Clip, Line, make_clip
from tests.helpers.virtual_time import run_virtual

# The same examples each time, or a run fails by a find that its change has nothing to do with;
# `fuzz` looks for new ones. How long an example takes says how busy the machine is.
BUSY = [HealthCheck.too_slow]
settings.register_profile(
    "default", deadline=None, suppress_health_check=BUSY, derandomize=True, max_examples=25
)
settings.register_profile(
    "fuzz", deadline=None, suppress_health_check=BUSY, print_blob=True, max_examples=1000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

TESTS = Path(__file__).parent

LONGEST = (
    "e2e/test_cluster.py",
    "e2e/test_clients.py",
    "e2e/test_pages.py",
    "e2e/test_webrtc_chromium.py",
    "stages/training/test_finetune.py",
    "server/commands/test_listen.py",
    "stages/tts/test_synthesisers.py",
    "stages/tts/xtts/test_engine.py",
    "e2e/test_viewers_mix.py",
    "server/hls/test_output.py",
    "server/sessions/test_file.py",
    "server/outputs/test_recording.py",
    "server/evaluation/test_evaluation.py",
    "server/sessions/test_live.py",
    "stages/asr/test_whisper.py",
    "server/test_cli.py",
    "server/outputs/test_push.py",
    "examples/test_clients.py",
    "server/webrtc/test_whep.py",
    "e2e/test_hang.py",
    "server/websocket/test_listen.py",
    "server/outputs/test_status.py",
    "stages/mt/test_translators.py",
    "server/commands/test_voices.py",
    "e2e/test_api_fuzz.py",
    "e2e/test_hls_browser.py",
    "e2e/test_studio_preset.py",
)
"""Files that take longest, the longest first."""

PYTORCH = (
    "stages/training/test_finetune.py",
    "stages/tts/xtts/test_engine.py",
    "stages/tts/xtts/test_voice.py",
    "stages/mt/test_translators.py",
    "e2e/test_studio_preset.py",
    "server/commands/test_presets.py",
    "stages/test_vad.py",
)
"""Files whose tests import PyTorch and coqui-tts, which costs a process ten seconds."""

SHORT = (
    Line("Good morning, and welcome to the river ferry.", 0.9),
    Line("Please keep your bags with you.", 1.1),
    Line("Thank you for travelling with us.", 1.0),
)


def pytest_configure() -> None:
    """What is collected stays: looking for garbage in it again and again is a fifth of the work."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage in what comes from now on."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    ranks = {TESTS / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (ranks.get(item.path, len(ranks)), item.path))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Collect each folder from another file on in each process.

    In a bare clone no test is compiled yet: each process compiles its share and finds the others'.
    """
    report = yield
    if isinstance(collector, pytest.Directory) and report.result:
        process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        first = process * len(report.result) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
        report.result = [*report.result[first:], *report.result[:first]]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Share the tests among processes."""
    return Groups(config, log)


class Groups(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests run in one process, as they share fixtures; so do all that need PyTorch.

    Those that measure real time wait more than they work: where they are alone, each is for itself;
    but of daemons with models and Chromium beside them, two cores carry one at a time.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if self.config.option.markexpr == "quiet" and file != "tests/e2e/test_clients.py":
            return nodeid
        torch = file.removeprefix("tests/") in PYTORCH or "[xtts" in nodeid
        return "torch" if torch else file


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
    """Three spoken sentences under a test picture, made once for all processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "clip"
    folder.mkdir(exist_ok=True)
    made = folder / "made.pickle"
    with FileLock(folder / "lock"):
        if not made.exists():
            clip = make_clip(folder / "clip.mp4", script=SHORT, size="160x90")
            made.write_bytes(pickle.dumps(clip))
    return cast(Clip, pickle.loads(made.read_bytes()))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where everything is supposed to be there, a skipped test is a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if os.environ.get("LIVEDUB_NO_SKIP") and skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
