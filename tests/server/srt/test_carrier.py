"""The process that carries SRT."""

from __future__ import annotations

from server.addresses.srt_address import SrtAddress
from server.srt.carrier import Carrier
from tests.helpers.srt_peer import needs_srt

pytestmark = needs_srt


def test_it_is_gone_with_whoever_started_it() -> None:
    carrier = Carrier(SrtAddress("127.0.0.1", 0, "listener", 120, ""), idle=10.0)
    try:
        carrier.control.settimeout(30)
        note, _ = carrier.hear()
        assert note["listening"]
        carrier.control.close()  # which the system does for a daemon that is killed
        assert carrier._process.wait(10) == 0
    finally:
        carrier.close()
