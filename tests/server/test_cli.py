"""The command line as scripts see it: exit status, one sentence, files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.demo_clip import Clip
from server.cli import main
from server.commands.file_progress import clock
from server.config import Config, ConfigError, load
from server.evaluation.report import Report
from stream.frames import Samples
from stream.media.soundtrack import read_soundtrack

FAST = ["--set", "tts.engine=espeak"]


def test_a_file_is_dubbed_with_report_and_subtitles(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, talk = tmp_path / "report.json", tmp_path / "talk.mp4"
    talk.symlink_to(clip.path)
    command = ["file", str(talk), "--report", str(report), *FAST]
    beside = ["--subtitles", str(tmp_path / "subs"), "--stems", str(tmp_path / "stems")]
    assert main([*command, *beside]) == 0
    voice, bed = sorted((tmp_path / "stems").iterdir(), reverse=True)
    assert (voice.name, bed.name) == ("talk.pt.dub.flac", "talk.pt.bed.flac")
    with av.open(str(voice)) as one, av.open(str(bed)) as other:
        lengths = [float(media.duration) / av.time_base for media in (one, other)]  # type: ignore[arg-type]
    assert lengths == pytest.approx([clip.duration] * 2, abs=0.1)
    assert (tmp_path / "talk.pt.mp4").exists()
    said = capsys.readouterr().err
    dubbed = json.loads(report.read_text())["summary"]["utterances"]
    assert f"{dubbed} of {dubbed} (100%)" in said and "None" not in said
    assert f"talk.pt.mp4: {clock(clip.duration)} made in 0:" in said.replace("\n", "")
    summary = json.loads(report.read_text())["summary"]
    assert summary["on_time_rate"] == 1.0
    assert abs(summary["lufs_dub"] - summary["lufs_original"]) < 1
    english = (tmp_path / "subs" / "talk.en.vtt").read_text()
    portuguese = (tmp_path / "subs" / "talk.pt.vtt").read_text()
    assert "keep your bags" in english and "Obrigado" in portuguese
    assert portuguese.startswith("WEBVTT")


def test_a_disk_that_fills_is_one_sentence_and_leaves_what_fits(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        assert main(["file", str(clip.path), str(disk / "out.mp4"), *FAST]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("livedub: ") and "No space left on device" in error
        left = {path.name for path in disk.iterdir()}
        assert left <= {".out.part.mp4", ".out.part.journal"}
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def _sound(path: Path, samples: Samples) -> Path:
    with av.open(str(path), "w") as media:
        stream = media.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            (samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = 16_000
        media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return path


def _chord() -> Samples:
    time_ = np.arange(8 * 16_000) / 16_000
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.5 * time_)
    tones = sum(np.sin(2 * np.pi * f * time_) for f in (220, 277, 330, 440))
    return (0.1 * swell * tones).astype(np.float32)


@pytest.mark.parametrize("kind", ["silence", "music"])
def test_sound_without_speech_passes_through(kind: str, tmp_path: Path) -> None:
    samples = np.zeros(8 * 16_000, np.float32) if kind == "silence" else _chord()
    source = _sound(tmp_path / "in.wav", samples)
    out, report = tmp_path / "out.flac", tmp_path / "report.json"
    assert main(["file", str(source), str(out), "--report", str(report), *FAST]) == 0
    summary = json.loads(report.read_text())["summary"]
    assert summary["utterances"] == summary["empty"] and summary["on_time_rate"] is None
    heard = read_soundtrack(out).samples
    assert len(heard) == len(samples)
    # The resampling to 48 kHz and back is the only difference.
    assert np.sqrt(np.mean((heard - samples)[800:-800] ** 2)) < 0.002


def test_the_documented_schema_is_the_reports() -> None:
    documented = Path(__file__).parents[2] / "docs" / "use" / "report.schema.json"
    assert json.loads(documented.read_text()) == Report.model_json_schema()


def test_the_shipped_configuration_is_the_default() -> None:
    assert load(Path(__file__).parents[2] / "config.yaml", environment={}) == Config()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("asr: {modle: x}", "unknown key 'asr.modle'; known are engine, model"),
        ("tts: {engine: festival}", "tts.engine is 'festival', but must be one of auto, kokoro"),
        ("playout: {delay: soon}", "playout.delay is 'soon', but should be a valid number or auto"),
        ("playout: {delay: 0.2}", "playout.delay is 0.2, but should be at least 1 or auto"),
        ("serve: {port: 70000}", "serve.port is 70000, but should be at most 65535"),
        ("playout: {bed: loud}", "playout.bed is 'loud', but should be duck, lift, mute or keep"),
        ("asr: tiny", "asr must be a section with keys, not a text"),
        ("- a", "must hold sections"),
        ("a: [", "is not valid YAML at line 1"),
        ("languages: {target: ua}", "languages.target: 'ua' is no language; did you mean uk"),
        ("languages: {source: [en, espn]}", "languages.source: 'espn' is no language"),
        ("languages: {source: []}", "the list of languages is empty; write auto for any"),
        ("languages: {source: {a: b}}", "a list of those that occur, such as [en, es]"),
        ("{languages: {source: auto}, mt: {engine: none}}", "but languages.source is auto"),
        ("languages: {target: tlh}", "No translator from English to Klingon"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    clip: Clip, tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    out = tmp_path / "out.mp4"
    assert main(["file", str(clip.path), str(out), "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["file", "none.mp4", "out.mp4"], "none.mp4 does not exist"),
        (["file", "none.mp4", "no/out.mp4"], "make the folder first"),
        (["file", "none.mp4", "out.mp4", "--set", "tts"], "--set takes section.key=value"),
        (["file", "none.mp4", "-", "--resume"], "nor with standard output"),
        (["file", "-"], "name the output, or - for it"),
        (["measure", "none.mp4", "none.mp4"], "none.mp4 cannot be read"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("livedub: ") and sentence in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fil", "a.mp4"], "livedub: there is no command 'fil'; did you mean file?"),
        (["dub", "a.mp4"], "there is no command 'dub'; choose from file, batch, measure"),
        (["models", "lst"], "livedub models: there is no action 'lst'; did you mean list?"),
        (
            ["file", "a", "b", "--subtitels=d"],
            "there is no '--subtitels=d' here; did you mean --sub",
        ),
        (
            ["file", "a", "--bed", "loud"],
            "there is no bed 'loud'; choose from duck, lift, mute, keep",
        ),
        (["file"], "livedub file: the following arguments are required: input"),
    ],
)
def test_a_mistyped_call_says_what_may_have_been_meant(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and sentence in error and "For help: livedub" in error


@pytest.mark.parametrize("command", [[], ["file", "--help"], ["models"]])
def test_help_has_examples_or_actions(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert main(command) == 0
    except SystemExit as ended:
        assert ended.code == 0
    said = capsys.readouterr().out
    assert "livedub file talk.mp4" in said or "pull" in said


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    script = tmp_path / "livedub.bash"
    command = [sys.executable, "-m", "server.cli", "--print-completion", "bash"]
    script.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    # What readline would offer for `livedub file --rep`.
    asked = f"source {script}; COMP_WORDS=(livedub file --rep); COMP_CWORD=2; COMP_TYPE=9; "
    asked += "$(complete -p livedub | sed 's/.*-F \\([^ ]*\\) .*/\\1/'); echo ${COMPREPLY[@]}"
    offered = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
    assert offered.stdout.split() == ["--replace", "--report"], offered


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("LIVEDUB_TTS_ENGIN", "no setting; did you mean LIVEDUB_TTS_ENGINE?"),
        ("LIVEDUB_SERVE_NOTHING_OF_THE_KIND", "which is no setting"),
        ("LIVEDUB_OFLINE", "did you mean LIVEDUB_OFFLINE?"),
    ],
)
def test_a_mistyped_variable_is_refused(variable: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(environment={variable: "1"})
    load(environment={"LIVEDUB_NOTE": "not ours", "LIVEDUB_OFFLINE": "1"})


def test_ctrl_c_leaves_a_playable_file(clip: Clip, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "server.cli", "file", str(clip.path), str(out), *FAST]
    process = subprocess.Popen(
        [*command, "--realtime", "--delay", "3"], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    part = tmp_path / ".out.part.mp4"
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(6)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in error, error
    with av.open(str(out)) as media:
        frames = list(media.decode(audio=0))
    assert 1 < float(frames[-1].pts * frames[-1].time_base) < clip.duration - 0.5
    assert not part.exists()
