"""How a dub sounds: figures of made-up signals that are known beforehand."""

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.levels import bed_kept_db, speech_left_db
from server.evaluation.likeness import consistency, suits
from server.evaluation.metrics import METRICS
from server.evaluation.performance import Spoken
from server.evaluation.sound import Ear, Heard, heard, stems_of
from server.sessions.stems import Stems
from stages.tts.espeak.library import speak
from stages.weights.resolve import is_here
from stream.frames import SPEECH_RATE, Samples
from stream.sound.pitch import Register
from stream.sound.resample import resample
from stream.timeline import Interval, ticks
from tests.helpers.examples import examples

needs_mos = pytest.mark.skipif(
    importlib.util.find_spec("speechmos") is None, reason="speechmos is not installed"
)
SAID = "The trip itself takes about eleven minutes, as you will see."


def scene(seconds: float = 8.0, background: float = 0.01) -> tuple[Samples, Samples]:
    """A background of noise, and 200 ms of something louder every 400 ms in the first half."""
    rng = np.random.default_rng(0)
    n = round(seconds * SPEECH_RATE)
    under = background * rng.standard_normal(n)
    loud = 0.1 * rng.standard_normal(n)
    time = np.arange(n) / SPEECH_RATE
    loud[(time % 0.4 >= 0.2) | (time >= seconds / 2)] = 0
    return under.astype(np.float32), loud.astype(np.float32)


DUBS, BETWEEN = [Interval(0, ticks(4))], [Interval(ticks(4.2), ticks(8))]


@given(st.floats(-30, 0), st.floats(-40, 0))
@examples(1)
def test_levels_are_those_that_were_mixed(kept: float, left: float) -> None:
    under, loud = scene()
    during = np.arange(len(under)) < 4 * SPEECH_RATE
    gains = [np.where(during, 10 ** (db / 20), 1.0) for db in (kept, left)]
    bed = (under * gains[0] + loud * gains[1]).astype(np.float32)
    found = bed_kept_db(bed, DUBS, BETWEEN)
    assert found == pytest.approx(kept, abs=0.5)
    found = speech_left_db(under + loud, bed, DUBS)
    assert found is not None
    # What is far below the background cannot be told from its swell.
    assert found == pytest.approx(left, abs=0.5 if left > kept - 15 else 30)
    assert found < left + 0.5 or left < kept - 15


def test_no_level_is_told_where_there_is_none() -> None:
    under, loud = scene()
    assert bed_kept_db(under, [], BETWEEN) is None and bed_kept_db(under, DUBS, []) is None
    assert bed_kept_db(loud, DUBS, BETWEEN) is None, "silence is no background"
    assert speech_left_db(under, under, []) is None
    gone = speech_left_db(under + loud, np.zeros_like(under), DUBS)
    assert gone is not None and gone < -80


def test_consistency_is_the_mean_cosine_within_and_between() -> None:
    a, b = np.array([1, 0], np.float32), np.array([0.6, 0.8], np.float32)
    assert consistency([a, a, b], ["S1", "S1", "S2"]) == pytest.approx((1.0, 0.6))
    assert consistency([a, b], ["S1", "S1"]) == (pytest.approx(0.6), None)
    assert consistency([a, b], ["S1", "S2"]) == (None, pytest.approx(0.6))
    assert consistency([a], ["S1"]) == (None, None) == consistency([], [])


@pytest.mark.parametrize(
    ("source", "dub", "match"),
    [(100, 150, True), (100, 200, False), (220, 300, True), (150, 180, True), (170, 100, False)],
)
def test_a_register_suits_on_its_side_or_near(source: float, dub: float, match: bool) -> None:
    assert suits(Register(source, 1), Register(dub, 1)) is match
    assert suits(None, Register(dub, 1)) is None is suits(Register(source, 1), None)


@pytest.mark.parametrize(("layout", "channels", "centre"), [("mono", 1, None), ("5.1", 6, 2)])
def test_stems_add_up_to_the_mix(tmp_path: Path, layout: str, channels: int, centre: int) -> None:
    rng = np.random.default_rng(0)
    dub = rng.uniform(-0.4, 0.4, 48_000).astype(np.float32)
    bed = rng.uniform(-0.4, 0.4, (48_000, channels)).astype(np.float32)
    mix = bed.copy()
    mix[:, centre or 0] += dub
    stems = Stems(tmp_path / "new", "talk.pt", layout, centre)
    for start in range(0, 48_000, 960):  # the mix is behind at first, as by a limiter
        late = slice(start - 240 if start else 0, start + 720)
        stems.write(mix[late], dub[start : start + 960])
    stems.write(mix[-240:], dub[:0])
    stems.close()
    assert (stems.dub.name, stems.bed.name) == ("talk.pt.dub.flac", "talk.pt.bed.flac")
    np.testing.assert_allclose(_read(stems.dub, 1)[:, 0], dub, atol=1e-6)
    np.testing.assert_allclose(_read(stems.bed, channels), bed, atol=1e-6)


def _read(path: Path, channels: int) -> Samples:
    with av.open(str(path)) as media:
        frames = [frame.to_ndarray() for frame in media.decode(audio=0)]
    whole = np.concatenate([frame.reshape(-1, channels) for frame in frames])
    return (whole / 2**31).astype(np.float32)


def _said(variant: str) -> Samples:
    return resample(speak(SAID, f"en-us+{variant}", 175), 22_050, SPEECH_RATE)


@needs_mos
def test_dnsmos_is_what_its_authors_code_says() -> None:
    """Their figures for two signals of 9.5 s, one of them with noise, taken down once."""
    from server.evaluation.dnsmos import Dnsmos

    clean = np.tile(_said("m3"), 4)[: round(9.5 * SPEECH_RATE)]
    noise = np.random.default_rng(0).normal(0, 0.02, len(clean))
    network = Dnsmos()
    for sound, figures in (
        (clean, (3.073, 2.814, 2.286)),
        ((clean + noise).astype(np.float32), (3.405, 2.115, 2.072)),
    ):
        mos = network.rate(sound)
        assert mos is not None
        found = (mos.signal, mos.background, mos.overall)
        assert found == pytest.approx(figures, abs=0.02)
    assert network.rate(np.zeros(SPEECH_RATE, np.float32)) is None


@needs_mos
@pytest.mark.skipif(not is_here("ge2e"), reason="the speaker encoder's weights are not here")
def test_a_clip_adds_a_row_to_every_figure_of_sound(tmp_path: Path) -> None:
    man, woman = _said("m3"), _said("f2")
    n = round(1.5 * SPEECH_RATE)
    man, woman, pause = man[:n], woman[:n], np.zeros(n, np.float32)
    source = np.concatenate([man, woman, man, woman, pause])
    under = 0.005 * np.random.default_rng(0).standard_normal(len(source)).astype(np.float32)
    dub = np.concatenate([man, woman, man, man, pause])
    speech = [Interval(0, ticks(6))]
    times = [(1.5 * i, 1.5 * (i + 1)) for i in range(4)]
    spoken = [Spoken(slot=span, dub=span) for span in times]
    sound = Heard(source + under, dub + under, dub, under, speech)
    ear = Ear()
    rows = ear.rows(sound, spoken, ["S1", "S2", "S1", "S2"])
    assert set(rows) <= set(METRICS) and len(rows) == 9 + 5
    assert rows["register_match"] == [[3.0, 4.0]], "the last one is a man's"
    assert rows["own_voice"][0][0] < 0.95 and rows["others_voice"][0][0] > 0.5
    assert rows["bed_kept"][0][0] == pytest.approx(0, abs=0.5)
    assert rows["speech_left"][0][0] < -20
    assert rows["mos_dub_background"][0][0] > rows["mos_mix_background"][0][0]
    bare = heard(source, dub, speech, tmp_path / "clip.mp4")
    assert bare.dub is None and stems_of(tmp_path / "clip.mp4")[0].name == "clip.dub.flac"
    assert set(ear.rows(bare, spoken[:1], ["S1"])) == {
        f"mos_{of}_{scale}"
        for of in ("mix", "source")
        for scale in ("signal", "background", "overall")
    }
    assert ear.rows(bare, [Spoken(slot=(0, 1))], ["S1"]) == {}
