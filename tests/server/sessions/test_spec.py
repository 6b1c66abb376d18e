from pathlib import Path

import pytest
from pydantic import ValidationError

from server.config import Config, load
from server.sessions.options import ServeConfig
from server.sessions.spec import SessionSpec, SpecError
from server.sessions.terms import Terms

CONFIG = load(environment={})


def check_addresses(spec: SessionSpec, hosts: list[str], files: Path | None) -> SessionSpec:
    return Terms(Config(serve=ServeConfig(hosts=hosts, files=files))).checked(spec)


def test_a_session_needs_nothing_but_gets_a_name_and_a_key() -> None:
    one, two = SessionSpec(), SessionSpec()
    assert one.id != two.id and one.key != two.key
    assert len(one.key) >= 20
    assert one.configured(CONFIG) == CONFIG


def test_its_own_settings_are_laid_over_the_daemons() -> None:
    spec = SessionSpec(targets=["es", "pt"], delay=4, settings={"tts.engine": "espeak"})
    config: Config = spec.configured(CONFIG)
    assert (config.target, config.playout.delay, config.tts.engine) == ("es", 4.0, "espeak")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"settings": {"tts.engine": "nobody"}}, "must be one of"),
        ({"settings": {"tts.engine": "os:system"}}, "no session may name code"),
        ({"settings": {"mt.engine": "a.b:C"}}, "only the mt section of the daemon"),
        ({"settings": {"tts.engine": "a b:C"}}, "must be one of"),
        ({"settings": {"tts.engine": ["os:system"]}}, "tts.engine is"),
        ({"settings": {"tts": {"engine": "os:system"}}}, "section.key"),
        ({"outputs": [{"url": "https://a/b"}]}, "an output's url is rtmp://"),
        ({"outputs": [{"url": "rtmp://a:b/c"}]}, "an output's url is rtmp://"),
        ({"settings": {"tts.nothing": 1}}, "unknown key 'tts.nothing'"),
        ({"settings": {"nothing": 1}}, "section.key"),
        ({"settings": {"serve.token": "x"}}, "belong to the daemon"),
        ({"settings": {"rtmp.idle": 60}}, "settings of the rtmp section belong to the daemon"),
        ({"targets": ["pt", "pt"]}, "twice"),
        ({"outputs": [{}]}, "either a url, a whip or a record"),
        ({"outputs": [{"whip": "ftp://x/y"}]}, "whip is https://"),
        ({"outputs": [{"whip": "https://x/y", "tracks": "all"}]}, "WHIP carries one track"),
        ({"outputs": [{"url": "udp://x:1", "token": "abcdefgh"}]}, "token is for whip"),
        ({"outputs": [{"url": "udp://x:1", "tracks": ["xx"]}]}, "no track 'xx'"),
        ({"outputs": [{"url": "udp://x:1", "tracks": ["pt", "pt"]}]}, "name one twice"),
        ({"outputs": [{"url": "srt://x"}]}, "with a port"),
        (
            {"outputs": [{"url": "rtmp://a/b", "record": "a.mp4"}]},
            "either a url, a whip or a record",
        ),
        ({"outputs": [{"record": "a.mp4", "track": "ru"}]}, "only original, pt"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(spec: dict[str, object], complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        SessionSpec.model_validate(spec).configured(CONFIG)


def test_targets_are_understood_by_code_and_by_name() -> None:
    spec = SessionSpec.model_validate({"targets": ["SPA", "Brazilian Portuguese", "pt"]})
    assert spec.targets == ["es", "pt-BR", "pt"]
    assert spec.configured(CONFIG).languages.target == "es"


@pytest.mark.parametrize(
    "spec",
    [
        {"id": "../etc"},
        {"id": ""},
        {"key": "short"},
        {"delay": 0},
        {"delay": "soon"},
        {"targets": ["portugeese"]},
        {"outputs": [{"record": "../a.mp4"}]},
        {"outputs": [{"record": "/etc/a.mp4"}]},
        {"outputs": [{"record": "a.exe"}]},
        {"unknown": 1},
        {"source": ""},
    ],
)
def test_what_is_malformed_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SessionSpec.model_validate(spec)


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://127.0.0.1/live/a",
        "http://localhost:8080/a.m3u8",
        "http://[::1]/a.m3u8",
        "http://169.254.169.254/latest/meta-data",
        "rtsp://10.0.0.1/cam",
        "http://0.0.0.0/",
        "udp://224.0.0.1:5000",
        "http://0x7f000001/",
    ],
)
def test_private_hosts_are_neither_pulled_from_nor_pushed_to(url: str) -> None:
    with pytest.raises(SpecError, match="private"):
        check_addresses(SessionSpec(source=url), [], None)
    with pytest.raises(SpecError, match="private"):
        pushed = {"url": "rtmp" + url[url.index(":") :]}
        check_addresses(SessionSpec.model_validate({"outputs": [pushed]}), [], None)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("file:///etc/passwd", "files are no source"),
        ("/etc/passwd", "files are no source"),
        ("concat:/etc/passwd", "is no source"),
        ("subfile:///etc/passwd", "is no source"),
        ("http:///a", "no host"),
        ("http://a:99999/", "port"),
        ("rtmp://no-such-host.invalid/a", "not known"),
    ],
)
def test_only_media_from_the_network_is_a_source(url: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        check_addresses(SessionSpec(source=url), [], None)


def test_hosts_that_are_allowed_may_be_private() -> None:
    check_addresses(SessionSpec(source="rtmp://10.1.2.3/live/a"), ["10.1.*"], None)


def test_files_are_a_source_below_their_folder_alone(tmp_path: Path) -> None:
    check_addresses(SessionSpec(source=str(tmp_path / "a.mp4")), [], tmp_path)
    for path in ("/etc/passwd", f"{tmp_path}/../x.mp4", f"file:{tmp_path}/../../etc/passwd"):
        with pytest.raises(SpecError, match="outside"):
            check_addresses(SessionSpec(source=path), [], tmp_path)
