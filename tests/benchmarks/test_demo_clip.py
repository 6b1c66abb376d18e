import functools
import json

import av
import numpy as np
import pytest

from benchmarks import demo_clip
from benchmarks.demo_clip import LEAD_IN, SPEECH_LUFS, Line, make_clip
from stream.sound.loudness import pooled_loudness, true_peak

SHORT = (
    Line("Good morning, and welcome to the river ferry.", 0.8),
    Line("Please keep your bags with you, | and watch your step.", 1.1),
    Line("Thank you.", 1.0),
)


@pytest.fixture(scope="module", autouse=True)
def spoken_once():
    """A script, which sounds the same each time, is spoken once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_clip, "soundtrack", functools.cache(demo_clip.soundtrack))
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", script=SHORT, size="160x90")


def decoded(path):
    with av.open(str(path)) as media:
        frames = list(media.decode(audio=0))
    start = frames[0].pts * frames[0].time_base
    assert start == 0
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_every_picture_and_its_time(clip):
    with av.open(str(clip.path)) as media:
        times = [float(frame.pts * frame.time_base) for frame in media.decode(video=0)]
    assert times == pytest.approx(np.arange(round(clip.duration * 25)) / 25)


def test_sentences_are_where_the_json_says(clip):
    record = json.loads(clip.path.with_suffix(".json").read_text())
    assert record["duration"] == clip.duration
    assert [s["text"] for s in record["sentences"]] == [
        line.text.replace("| ", "") for line in SHORT
    ]
    sound = np.abs(decoded(clip.path))
    assert len(sound) == pytest.approx(clip.duration * 48_000, abs=2048)
    for sentence in record["sentences"]:
        start, end = round(sentence["start"] * 48_000), round(sentence["end"] * 48_000)
        assert sound[start + 480 : start + 4800].max() > 0.01
        assert sound[end - 4800 : end].max() > 0.003
        assert sound[end + 2400 : end + 20_000].max() < 0.01
        assert sound[start - 20_000 : start - 2400].max() < 0.01


def test_pauses_and_loudness():
    sound, sentences = demo_clip.soundtrack(SHORT)
    assert sentences[0].start == LEAD_IN
    for line, sentence, following in zip(SHORT, sentences, sentences[1:], strict=False):
        assert following.start - sentence.end == pytest.approx(line.pause, abs=1e-4)
    speech = [sound[round(s.start * 48_000) : round(s.end * 48_000)] for s in sentences]
    assert pooled_loudness(speech, 48_000) == pytest.approx(SPEECH_LUFS, abs=0.01)
    assert true_peak(sound) < -1


def test_minutes_repeat_the_script(tmp_path):
    clip = make_clip(tmp_path / "long.mp4", script=SHORT[2:], minutes=0.1, size="64x64")
    assert clip.duration == pytest.approx(6.0)
    first, second = clip.sentences[:2]
    period = len(demo_clip.soundtrack(SHORT[2:])[0]) / 48_000
    assert second.start - first.start == pytest.approx(period)
    assert clip.sentences[-1].end <= clip.duration
