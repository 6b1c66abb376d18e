import av
import numpy as np
import pytest

from server.websocket.encode import Encoder, SentFrame, remix
from server.websocket.frames import Encoding, Frame, decode_frame
from stream.frames import AudioChunk
from stream.timeline import FRAME, TICK_RATE

TONE = 0.3 * np.sin(2 * np.pi * 300 * np.arange(TICK_RATE) / TICK_RATE).astype(np.float32)


def blocks(start: int, count: int) -> list[AudioChunk]:
    return [
        AudioChunk(at, TONE[at : at + FRAME, None])
        for at in range(start, start + count * FRAME, FRAME)
    ]


def decoded(sent: list[SentFrame], encoding: Encoding) -> list[Frame]:
    return [decode_frame(frame.message, encoding) for frame in sent]


@pytest.mark.parametrize(("format_", "rate"), [("pcm_s16le", 16_000), ("opus", 48_000)])
def test_lost_blocks_are_a_discontinuity_and_move_nothing(format_, rate: int) -> None:  # type: ignore[no-untyped-def]
    encoding = Encoding(format_, rate, 1)
    encoder = Encoder(encoding, 2)
    early = encoder.encode(blocks(0, 10))
    late = encoder.encode(blocks(20 * FRAME, 10)) + encoder.flush()
    frames = decoded(early + late, encoding)
    lead = 312 if format_ == "opus" else 0
    assert all(frame.track == 2 for frame in frames)
    flagged = [frame.time for frame in frames if frame.discontinuity]
    assert flagged == [20 * FRAME - lead]
    assert frames[0].time == -lead
    assert (early + late)[-1].end == 30 * FRAME
    step = TICK_RATE // rate
    before = [f for f in frames if f.time is not None and f.time < 15 * FRAME]
    assert before[-1].time is not None
    assert before[-1].time + before[-1].samples * step == 10 * FRAME
    for frame, sent in zip(frames, early + late, strict=True):
        assert (sent.start, sent.end) == (frame.time, (frame.time or 0) + frame.samples * step)


def test_samples_beyond_full_scale_are_clipped_and_do_not_wrap() -> None:
    encoding = Encoding("pcm_s16le", TICK_RATE, 1)
    sound = np.array([[1.0], [-1.0], [1.5], [-1.5], [0.0]], np.float32)
    encoder = Encoder(encoding, 0)
    (frame,) = decoded(encoder.encode([AudioChunk(0, sound)]) + encoder.flush(), encoding)
    assert np.frombuffer(frame.payload, "<i2").tolist() == [32767, -32768, 32767, -32768, 0]


@pytest.mark.parametrize("given", [1, 2, 6, 8])
@pytest.mark.parametrize("wanted", [1, 2])
def test_full_scale_in_every_channel_does_not_clip(given: int, wanted: int) -> None:
    folded = remix(np.ones((10, given), np.float32), wanted)
    assert folded.shape == (10, wanted)
    assert folded.dtype == np.float32
    assert 0.5 < folded.max() <= 1.0001


def test_left_stays_left() -> None:
    sound = np.zeros((10, 6), np.float32)
    sound[:, 0] = 1
    folded = remix(sound, 2)
    assert folded[0, 0] > 0.3
    assert folded[0, 1] == 0


def test_opus_frames_are_packets_of_20_ms() -> None:
    encoding = Encoding("opus", TICK_RATE, 2)
    encoder = Encoder(encoding, 0)
    frames = decoded(encoder.encode(blocks(0, 20)), encoding)
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = TICK_RATE, "stereo"
    assert {frame.samples for frame in frames} == {FRAME}
    assert {d.samples for f in frames for d in decoder.decode(av.Packet(f.payload))} == {FRAME}
