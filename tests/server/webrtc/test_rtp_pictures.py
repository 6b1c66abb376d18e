"""Pictures out of RTP, whatever is lost."""

import random
import shutil

import av
import pytest
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from server.webrtc.rtp_order import Lost
from server.webrtc.rtp_pictures import CodedPicture, PictureAssembler, vp8_size
from tests.helpers.rtc import flashes

CODECS = {
    "h264": RTCRtpCodecParameters("video/H264", 90_000, payloadType=97),
    "vp8": RTCRtpCodecParameters("video/VP8", 90_000, payloadType=98),
}


@pytest.fixture(scope="module", params=["h264", "vp8"])
def packets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[RtpPacket]]:
    """75 pictures in several packets each, three of them keyframes."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    name: str = request.param
    noise = ("-vf", "noise=alls=40:allf=t", "-bf", "0")
    if name == "vp8":
        noise = ("-vf", "noise=alls=40:allf=t", "-c:v", "libvpx", "-b:v", "3M", "-deadline",
                 "realtime", "-auto-alt-ref", "0")  # fmt: skip
    path = flashes(tmp_path_factory.mktemp("rtp") / "a.mkv", length=3, extra=noise)
    encoder = get_encoder(CODECS[name])
    made = []
    with av.open(str(path)) as container:
        annexb = name == "h264"
        stream = container.streams.video[0]
        convert = av.BitStreamFilterContext("h264_mp4toannexb" if annexb else "null", stream)
        for source in container.demux(stream):
            if source.pts is None:
                continue
            for packet in convert.filter(source):
                payloads, timestamp = encoder.pack(packet)
                for n, payload in enumerate(payloads):
                    made.append(RtpPacket(0, n == len(payloads) - 1, len(made), timestamp, 1))
                    made[-1].payload = payload
    assert len(made) > 150
    return name, made


def assemble(name: str, items: list[RtpPacket | Lost]) -> list[CodedPicture]:
    assembler, pictures = PictureAssembler(), []
    for item in items:
        if isinstance(item, Lost):
            assembler.lost(item)
        elif picture := assembler.add(item, CODECS[name]):
            pictures.append(picture)
    return pictures


def test_all_pictures_come_back(packets: tuple[str, list[RtpPacket]]) -> None:
    name, sent = packets
    pictures = assemble(name, [*sent])
    assert len(pictures) == 75
    assert sum(p.key for p in pictures) == 3
    if name == "vp8":
        assert vp8_size(pictures[0].data) == (160, 90)


@pytest.mark.parametrize("seed", range(8))
def test_what_comes_after_a_loss_decodes_without_error(
    packets: tuple[str, list[RtpPacket]], seed: int
) -> None:
    name, sent = packets
    chance = random.Random(seed)
    items: list[RtpPacket | Lost] = []
    for packet in sent:
        items.append(Lost(1) if chance.random() < 0.02 else packet)
    pictures = assemble(name, items)
    whole = {p.timestamp: p.data for p in assemble(name, [*sent])}
    assert all(whole[p.timestamp] == p.data for p in pictures)
    previous: CodedPicture | None = None
    timestamps = sorted(whole)
    for picture in pictures:
        if not picture.key:  # then the one before it is there as well
            assert previous is not None
            assert timestamps.index(picture.timestamp) == timestamps.index(previous.timestamp) + 1
        previous = picture


@given(st.lists(st.tuples(st.binary(max_size=30), st.booleans(), st.integers(0, 3))))
def test_any_payloads_are_survived(payloads: list[tuple[bytes, bool, int]]) -> None:
    for codec in CODECS.values():
        assembler = PictureAssembler()
        for payload, marker, timestamp in payloads:
            packet = RtpPacket(0, int(marker), 0, timestamp, 1)
            packet.payload = payload
            assembler.add(packet, codec)
