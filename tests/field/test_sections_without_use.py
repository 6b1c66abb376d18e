"""Offers with a data channel beside sound and picture were refused; sections that are no use here
must be declined one by one in the answer, and sound and picture flow as without them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.webrtc.peer import read_offer
from server.webrtc.whep import watch
from server.webrtc.whip import publish
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import Publisher, Viewer, flashes, until

TEXT = "m=text 9 RTP/SAVPF 98\r\na=rtpmap:98 t140/1000\r\na=mid:t\r\na=sendrecv\r\n"
OFF = "m=video 0 UDP/TLS/RTP/SAVPF 97\r\na=mid:off\r\na=inactive\r\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("sections") / "flash.mkv", length=3)


def sections(sdp: str) -> list[str]:
    """The ``m=`` lines: kind and port."""
    return [" ".join(line.split()[:2]) for line in sdp.splitlines() if line.startswith("m=")]


def bundled(sdp: str) -> list[str]:
    return re.findall(r"^a=group:BUNDLE (.*?)\r?$", sdp, re.MULTILINE)[0].split()


async def test_a_viewer_with_a_data_channel_watches(clip: Path) -> None:
    async with file_feed(clip) as feed:
        await until(lambda: feed.picture_format is not None)
        viewer = Viewer()
        viewer.connection.createDataChannel("chat")
        offer = await viewer.offer()
        assert [one.split()[0] for one in sections(offer)] == [
            "m=audio", "m=video", "m=application",
        ]  # fmt: skip
        peer = await watch(feed, ["pt"], offer)
        assert sections(peer.answer)[2] == "m=application 0"
        assert len(bundled(peer.answer)) == 2
        # aiortc does not understand that a section is declined; browsers do.
        await viewer.close()
        await peer.aclose()


@pytest.mark.parametrize("extra", [TEXT, OFF], ids=["text", "switched off"])
async def test_others_are_declined_at_their_place(clip: Path, extra: str) -> None:
    """In front of all others, where the answer must keep its place."""
    async with file_feed(clip) as feed:
        publisher = Publisher(feed)
        offer = await publisher.offer()
        at = offer.index("m=")
        mid = extra.split("mid:")[1].split()[0]
        session = offer[:at].replace("BUNDLE ", f"BUNDLE {mid} ")
        source = await publish(session + extra + offer[at:])
        first, *rest = sections(source.answer)
        assert first == f"{extra.split()[0]} 0"
        assert [one.split()[0] for one in rest] == ["m=audio", "m=video"]
        assert bundled(source.answer) == bundled(offer)
        without = source.answer.replace(source.answer[source.answer.index("m=") :], "")
        body = re.split(r"^(?=m=)", source.answer, flags=re.MULTILINE)[2:]
        await publisher.accept(without + "".join(body))
        await until(lambda: source._arrived > 20)
        await publisher.close()
        await source.aclose()


async def test_an_offer_of_nothing_else_is_refused() -> None:
    viewer = Viewer(())
    viewer.connection.createDataChannel("chat")
    offer = await viewer.offer()
    await viewer.close()
    with pytest.raises(Exception, match="neither a sound nor a picture"):
        read_offer(offer)
