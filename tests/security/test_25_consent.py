"""Nobody is cloned without consent, and what comes out says that it is synthetic."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from server.commands.voices import preview
from server.config import ConfigError, load
from server.hls.master import master_playlist
from server.outputs.push_process import hello, push, sound_record
from server.outputs.recording import Recording
from server.sessions.lendable import check_settings
from server.sessions.spec import SpecError
from stages.speakers.consent import unagreed
from stream.disclosure import SYNTHETIC
from stream.media.aac import AacEncoder
from stream.media.muxer import SoundTrack
from stream.sound.tone import OpeningTone
from tests.helpers.bare_feed import bare_feed, play, tone
from tests.helpers.daemons import served


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEDUB_VOICES", str(tmp_path / "voices"))
    for name, consent in (("anna", "2026-11-29"), ("otto", None)):
        folder = tmp_path / "voices" / name
        folder.mkdir(parents=True)
        told: dict[str, Any] = {"clips": []} | ({"consent": consent} if consent else {})
        (folder / "voice.json").write_text(json.dumps(told))
    (tmp_path / "board").write_bytes(b"a recording without a suffix")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("voice", "whose"),
    [
        ("otto", "the stored voice 'otto'"),
        ("anna*0.7 + otto*0.3", "the stored voice 'otto'"),
        ("clips/her.wav", "the recording clips/her.wav"),
        ("default + her.wav", "the recording her.wav"),
        ("board", "the recording board"),
        ("a.wav, b.wav", "the recording a.wav, b.wav"),
        ("anna", None),
        ("default", None),
        ("Ana Florence", None),
    ],
)
def test_who_has_not_agreed_is_not_cloned(voice: str, whose: str | None) -> None:
    assert unagreed(voice) == whose
    for setting in ("tts.voice=", "tts.voices={S1: VOICE}"):
        value = setting.replace("VOICE", json.dumps(voice)) if "{" in setting else setting + voice
        given = ["tts.engine=xtts", "speakers.engine=ge2e", value]
        if whose is None:
            load(assignments=given, environment={})
            continue
        with pytest.raises(ConfigError, match="would be cloned: once the person has agreed"):
            load(assignments=given, environment={})
        load(assignments=[*given, "tts.consent=true"], environment={})


def test_a_preview_is_a_clone_too() -> None:
    class Options:
        config = preset = out = text = None
        set = ("tts.engine=xtts",)
        name = "otto"

    with pytest.raises(Exception, match="stored voice 'otto' would be cloned"):
        preview(Options())  # type: ignore[arg-type]


async def test_the_api_cannot_say_that_anybody_has_agreed() -> None:
    async with served("tts.engine=xtts", "serve.voices=[otto, anna]", "tts.voice=anna") as it:
        for settings in (
            {"tts.voice": "otto"},
            {"tts.voice": "otto", "tts.consent": True},
            {"speakers.engine": "ge2e", "tts.voices": {"S1": "otto"}},
        ):
            answer = await it.http.post("/sessions", json={"settings": settings})
            assert answer.status_code == 422, answer.text
        allowed = await it.http.post("/sessions", json={"settings": {"tts.voice": "anna"}})
        assert allowed.status_code == 201


def test_the_api_cannot_hide_what_is_synthetic() -> None:
    with pytest.raises(SpecError, match="for the operator"):
        check_settings({"output.disclose": False}, load(environment={}))
    check_settings({"output.tone": True}, load(environment={}))
    with pytest.raises(SpecError, match="for the operator"):
        toned = load(assignments=["output.tone=true"], environment={})
        check_settings({"output.tone": False}, toned)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_recordings_say_so(tmp_path: Path, suffix: str) -> None:
    for disclosed, tracks in ((True, None), (False, None), (True, ("original",))):
        async with bare_feed() as feed:
            feed.disclosed = disclosed
            recording = Recording(feed, tmp_path / f"out.{suffix}", tracks)
            running = asyncio.create_task(recording.run())
            await play(feed, [], 0, 3, pace=100)
            await recording.aclose()
            await running
        with av.open(str(recording.files[0])) as made:
            said = {key.lower(): value for key, value in made.metadata.items()}.get("comment")
        assert (said == SYNTHETIC) == (disclosed and tracks is None)


def test_rtmp_says_so(tmp_path: Path) -> None:
    for comment in (SYNTHETIC, ""):
        path = tmp_path / "out.flv"
        sound = AacEncoder(1)
        packets = [*sound.encode(tone(0)), *sound.finish()]
        first = hello(str(path), "flv", None, [SoundTrack(1)], 0, comment=comment)
        records = b"".join(map(sound_record, packets))
        push(io.BytesIO(first + records), lambda: None)
        signal.alarm(0)
        assert (SYNTHETIC.encode() in path.read_bytes()) == bool(comment)


async def test_hls_says_so() -> None:
    assert f'VALUE="{SYNTHETIC}"' in master_playlist([], [], {"org.livedub.dub": SYNTHETIC})
    async with served() as it:
        assert (await it.http.post("/sessions", json={"id": "s"})).status_code == 201
        session = it.daemon.sessions["s"]
        assert session.feed.comment(session.feed.tracks) == SYNTHETIC
        assert session.feed.comment(["original"]) == ""


def test_the_tone_is_over_the_first_dub_however_it_is_cut() -> None:
    dub = np.zeros(40_000, np.float32)
    dub[5000:30_000] = 0.01

    def toned(size: int) -> np.ndarray:
        tone = OpeningTone()
        parts = [tone.over(dub[at : at + size]) for at in range(0, len(dub), size)]
        return np.concatenate(parts)

    whole = toned(len(dub))
    for size in (960, 333, 7000):
        assert np.array_equal(toned(size), whole)
    assert np.array_equal(whole[:5000], dub[:5000]), "nothing before it"
    beeps = 2 * round(0.12 * 48_000)
    assert np.abs((whole - dub)[5000 : 5000 + beeps]).max() > 0.1
    assert np.array_equal(whole[5000 + beeps :], dub[5000 + beeps :]), "and nothing after it"
