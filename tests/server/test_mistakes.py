"""What validation finds wrong is told at once, by the names of things and not of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import Config, ConfigError, load
from server.evaluation.manifest import read_manifest
from server.sessions.spec import SpecError, configured_sessions
from stream.errors import UserError

LIBRARY = ("Input should", "Extra inputs", "Field required", "Value error", "pattern '", "pydantic")


def said_of(values: list[dict[str, Any]]) -> str:
    with pytest.raises(SpecError) as refused:
        configured_sessions(values)
    return str(refused.value)


def test_all_mistakes_of_all_sessions_are_told_by_their_names() -> None:
    said = said_of(
        [
            {"id": "ferry", "key": "k1", "target": ["pt"]},
            {"id": "port", "delay": "soon", "outputs": [{"recrd": "a.mp4"}]},
        ]
    )
    assert said.split("; ") == [
        "serve.sessions[ferry].key: a key or token has 8 to 128 letters, digits and _-",
        "unknown key 'serve.sessions[ferry].target'",
        "known are id, source, targets, delay, key, play_token, hls, tls_verify, outputs, settings",
        "did you mean 'targets'?",
        "serve.sessions[port].delay is 'soon', but should be a valid number or auto",
        "unknown key 'serve.sessions[port].outputs[0].recrd'",
        "known are url, whip, token, record, track, tracks",
        "did you mean 'record'?",
    ]


def test_many_mistakes_are_counted() -> None:
    said = said_of([{"id": f"s{n}", "key": "short"} for n in range(20)])
    assert said.endswith("; and 12 more") and said.count("a key or token has") == 8


def test_a_configuration_is_told_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("playout: {delay: soon, bed: loud}\nasr: tiny\ntts: {voices: 3, rat: 2}\n")
    with pytest.raises(ConfigError) as refused:
        load(path, environment={})
    said = str(refused.value)
    assert "asr must be a section with keys, not a text; tts.voices must be a section" in said
    assert "playout.bed is 'loud', but should be duck, lift, mute or keep" in said
    assert "playout.delay is 'soon', but should be a valid number or auto" in said
    assert "unknown key 'tts.rat'; known are engine, voice" in said


def test_a_manifest_names_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("clips: [{name: talk, medium: a.wav}]")
    with pytest.raises(UserError) as refused:
        read_manifest(path)
    assert "clips[talk].media is missing; unknown key 'clips[talk].medium'" in str(refused.value)
    assert "at least 1 item" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Config.model_fields, "id"]), JSON, max_size=3))
def test_nothing_is_told_in_the_librarys_words(values: dict[str, Any]) -> None:
    try:
        configured_sessions([values])
    except SpecError as error:
        assert not any(words in str(error) for words in LIBRARY)
