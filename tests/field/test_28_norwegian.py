"""Norwegian could not be asked for, since YAML reads its code as false; text must stay text."""

from pathlib import Path

import pytest

from server.config import Config, ConfigError, load
from server.sessions.spec import SessionSpec


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return load(path, environment={})


def test_by_every_way(tmp_path: Path) -> None:
    ways = (
        load(assignments=["languages.target=no"], environment={}),
        load(environment={"LIVEDUB_LANGUAGES_TARGET": "no"}),
        read(tmp_path, "languages: {target: no}\n"),
        read(tmp_path, "languages:\n  target: NO\n".replace("NO", "no")),
    )
    assert [config.languages.target for config in ways] == ["no"] * 4


@pytest.mark.parametrize(
    "text", ["no", "on", "0123", "12:30", "2024-05-01", "1e3", "1_000", "0x1F", ".5", "1234"]
)
def test_whatever_yaml_takes_it_for(tmp_path: Path, text: str) -> None:
    assert load(assignments=[f"tts.voice={text}"], environment={}).tts.voice == text
    config = read(tmp_path, f"tts: {{voice: {text}}}\nmt: {{glossary: {{{text}: {text}}}}}\n")
    assert config.tts.voice == text
    assert config.mt.glossary == {text: text}


def test_what_is_no_text_stays_what_it_is(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "output: {replace: yes}\nasr: {threads: 3, deadline: 1e1}\ninput: {track: 1, channel: 0}\n"
        "serve: {rtmp_port: null, token: ~, hosts: [no, 10.0.0.1]}\ntts: {listener: null}\n",
    )
    assert config.output.replace is True
    assert (config.asr.threads, config.asr.deadline) == (3, 10.0)
    assert (config.input.track, config.input.channel) == (1, 0)
    assert (config.serve.rtmp_port, config.serve.token, config.tts.listener) == (None, None, None)
    assert config.serve.hosts == ["no", "10.0.0.1"]
    assert load(assignments=["output.replace=no"], environment={}).output.replace is False


def test_in_a_session_of_the_configuration(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "serve:\n  sessions:\n"
        "    - {id: 2024-05-01, key: 00123456, targets: [no, pt], hls: no}\n"
        "    - {id: on, key: 12345678, settings: {languages.target: no, tts.threads: 3}}\n",
    )
    first, second = (SessionSpec.model_validate(values) for values in config.serve.sessions)
    assert (first.id, first.key, first.targets) == ("2024-05-01", "00123456", ["no", "pt"])
    assert first.hls is False
    assert (second.id, second.key) == ("on", "12345678")
    assert second.configured(config).languages.target == "no"
    assert second.configured(config).tts.threads == 3


@pytest.mark.parametrize("code", ["xx", "englishman", "e", "--"])
def test_no_language_is_said_to_be_none(code: str) -> None:
    with pytest.raises(ConfigError, match=f"languages.target: '{code}' is no language"):
        load(assignments=[f"languages.target={code}"], environment={})


@pytest.mark.parametrize("code", ["pt", "pt-BR", "nb", "yue", "zh_TW"])
def test_every_language_is_one(code: str) -> None:
    tag = load(assignments=[f"languages.target={code}"], environment={}).languages.target
    assert tag == code.replace("_", "-")
