import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.websocket.frames import (
    FORMATS,
    HEADER_BYTES,
    MAX_MESSAGE,
    MAX_PACKET,
    Encoding,
    Frame,
    ProtocolError,
    decode_frame,
    discontinuous,
    encode_frame,
    raw_frame,
)
from server.websocket.requests import (
    EndCommand,
    ListenRequest,
    PublishRequest,
    TrackCommand,
    message,
    parse_command,
)

PCM = Encoding("pcm_s16le", 48_000, 2)
encodings = st.builds(
    Encoding, st.sampled_from(FORMATS), st.sampled_from([48_000, 44_100]), st.sampled_from([1, 2])
)
# A short alphabet: building tables of all of Unicode would take longer than the tests.
texts = st.text('abz09²é\x00 "{}[]:,-.\ud800', max_size=60)
queries = st.dictionaries(
    st.sampled_from(["track", "format", "rate", "channels", "events", "from", "framing", "ack"]),
    st.sampled_from(["opus", "pcm_f32le", "48000", "1", "2", "true", "raw", "²", "-1", "9" * 5000])
    | texts,
)


@st.composite
def sent(draw: st.DrawFn) -> tuple[Frame, Encoding]:
    encoding = draw(encodings)
    samples = draw(st.integers(1, 500))
    if encoding.format == "opus":
        payload = draw(st.binary(min_size=1, max_size=MAX_PACKET))
    else:
        payload = draw(st.binary(min_size=1, max_size=3)) * (samples * encoding.sample_bytes)
        payload = payload[: samples * encoding.sample_bytes]
    time = draw(st.none() | st.integers(-(2**53), 2**53))
    frame = Frame(
        encoding.format, time, samples, payload, draw(st.integers(0, 255)), draw(st.booleans())
    )
    return frame, encoding


@given(sent())
def test_a_frame_survives_the_wire(case: tuple[Frame, Encoding]) -> None:
    frame, encoding = case
    assert decode_frame(encode_frame(frame), encoding) == frame


@given(sent())
def test_marking_a_frame_changes_nothing_else(case: tuple[Frame, Encoding]) -> None:
    frame, encoding = case
    marked = decode_frame(discontinuous(encode_frame(frame)), encoding)
    assert marked.discontinuity
    assert (marked.time, marked.payload, marked.track) == (frame.time, frame.payload, frame.track)


def test_the_layout_is_the_documented_one() -> None:
    frame = Frame("pcm_s16le", 0x0102030405, 2, b"\x01\x02\x03\x04\x05\x06\x07\x08", 3, True)
    assert encode_frame(frame).hex(" ") == (
        "d1 01 01 03 02 00 00 00 05 04 03 02 01 00 00 00 01 02 03 04 05 06 07 08"
    )


@given(st.binary(max_size=64) | st.binary(max_size=60).map(lambda b: b"\xd1\x01" + b), encodings)
def test_bytes_that_are_no_frame_are_refused_with_a_sentence(data: bytes, to: Encoding) -> None:
    try:
        frame = decode_frame(data, to)
    except ProtocolError as error:
        assert error.code == 4400 and error.reason
    else:
        assert len(frame.payload) == len(data) - HEADER_BYTES


@given(queries)
def test_any_query_is_read_or_refused(query: dict[str, str]) -> None:
    for kind in (ListenRequest, PublishRequest):
        try:
            request = kind.parse(query)
        except ProtocolError as error:
            assert error.code == 4400
            assert 0 < len(error.reason.encode(errors="replace")) < 200
        else:
            assert request.encoding.format in FORMATS


@given(texts | st.recursive(st.none() | texts, st.lists).map(json.dumps))
def test_any_text_is_a_command_or_refused(text: str) -> None:
    try:
        command = parse_command(text)
    except ProtocolError as error:
        assert error.code == 4400
    else:
        assert isinstance(command, TrackCommand | EndCommand)


@pytest.mark.parametrize(
    "text", ["[" * 4000, '{"type":"track"}', '{"type":"track","track":1}', "1" * 4000, "{}"]
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_command(text)


def test_commands() -> None:
    assert parse_command('{"type":"track","track":"original"}') == TrackCommand("original")
    assert parse_command('{"type":"end"}') == EndCommand()


def test_what_is_too_long_has_its_own_code() -> None:
    for call in (
        lambda: decode_frame(bytes(MAX_MESSAGE + 1), PCM),
        lambda: raw_frame(bytes(MAX_MESSAGE + 4), PCM),
        lambda: parse_command(" " * 5000),
    ):
        with pytest.raises(ProtocolError) as caught:
            call()
        assert caught.value.code == 1009


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"format": "mp3"}, "format is 'mp3', but must be one of pcm_s16le, pcm_f32le, opus"),
        ({"rate": "44100"}, "rate is '44100', but must be one of 48000, 24000, 16000"),
        ({"format": "opus", "rate": "16000"}, "rate is 16000, but Opus always runs at 48000"),
        ({"from": "-4"}, "from is '-4', but must be a whole number from 0 to"),
    ],
)
def test_a_refusal_names_what_is_wrong(query: dict[str, str], sentence: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        ListenRequest.parse(query)
    assert caught.value.reason.startswith(sentence)


def test_raw_messages_hold_whole_samples() -> None:
    assert raw_frame(bytes(16), PCM) == Frame("pcm_s16le", None, 4, bytes(16))
    with pytest.raises(ProtocolError, match="whole samples"):
        raw_frame(bytes(15), PCM)


def test_messages_are_compact_and_keep_their_language() -> None:
    assert message("event", text="olá") == '{"type":"event","text":"olá"}'
