"""Who may not listen, and what is said to them."""

import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.access import Denied
from server.limits import Places
from server.tokens import Right
from server.websocket.gate import Gate
from tests.helpers.ws_air import closed, on_air


def _guard(connection: HTTPConnection, session: str, right: Right) -> None:
    token = connection.query_params.get("token")
    if token is None:
        raise Denied(401, "A token is needed")
    if token != "secret":
        raise Denied(403, f"This token may not {right} {session}")


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("live/listen", 4401, "A token is needed"),
        ("live/listen?token=x", 4403, "This token may not play live"),
        ("dead/listen?token=secret", 4404, "There is no session 'dead'"),
        ("live/listen?token=secret&track=xx", 4404, "There is no track 'xx'"),
        ("live/listen?token=secret&format=mp3", 4400, "format is 'mp3'"),
        ("live/listen?token=secret&from=now", 4400, "from is 'now'"),
    ],
)
async def test_refusals_have_a_code_and_a_reason(spoken, path: str, code: int, reason: str) -> None:  # type: ignore[no-untyped-def]
    async with on_air(spoken[0], gate=Gate(authorise=_guard)) as (url, _, _):
        assert (await closed(f"{url}/sessions/{path}"))[0] == code
        assert (await closed(f"{url}/sessions/{path}"))[1].startswith(reason)


async def test_origins_limits_and_other_protocols_are_refused(spoken) -> None:  # type: ignore[no-untyped-def]
    gate = Gate(origins=["https://good.example"])
    async with on_air(spoken[0], gate=gate) as (url, programmes, _):
        address = f"{url}/sessions/live/listen"
        refused = await closed(address, origin="https://evil.example")
        assert refused == (4403, "Pages of this origin may not connect")
        async with connect(address, origin="https://good.example") as client:
            assert "hello" in str(await client.recv())
        refused = await closed(address, subprotocols=["livedub.v9"])
        assert refused == (4400, "This server speaks livedub.v1 only")
        for sent, code in ((b"x", 1003), ("{", 4400), ('{"type":"end"}', 4400), ("[]", 4400)):
            assert (await closed(address, sent=sent))[0] == code
        assert (await closed(address, sent="x" * 70_000))[0] == 1009
    async with on_air(spoken[0], gate=Gate(places={"play": Places(1)})) as (url, _, _):
        address = f"{url}/sessions/live/listen"
        async with connect(address) as client:
            await client.recv()
            refused = await closed(address)
            assert refused == (1013, "there are 1 clients already; try again later")
        async with connect(address) as client:
            assert "hello" in str(await client.recv())


@pytest.mark.parametrize(
    ("query", "said", "reason"),
    [
        ("format=none&events=false", None, "nothing to be sent"),
        ("format=none&track=xx", None, "no track 'xx'"),
        ("format=none", '{"type":"track","track":"original"}', "no track to change"),
    ],
)
async def test_events_alone_are_refused_what_makes_no_sense(spoken, query, said, reason) -> None:  # type: ignore[no-untyped-def]
    async with on_air(spoken[0]) as (url, _, _):
        address = f"{url}/sessions/live/listen?{query}"
        async with connect(address, compression=None) as client:
            with pytest.raises(ConnectionClosed):
                if said is not None:
                    await client.send(said)
                while True:
                    await client.recv()
            assert client.close_code in (4400, 4404)
            assert reason in (client.close_reason or "")
