"""The page's connections use the STUN and TURN servers that the daemon tells them of."""

import asyncio
import json
import socket
from typing import Any

from aioice import stun

from server.webrtc.ice_servers import ice_links, ice_server
from tests.helpers.chromium import needs_chromium
from tests.helpers.tone_session import on_air
from tests.helpers.web_page import opened

pytestmark = needs_chromium

CONFIGURED = """
window.configured = [];
const Plain = RTCPeerConnection;
window.RTCPeerConnection = class extends Plain {
  constructor(...given) {
    super(...given);
    configured.push(this.getConfiguration().iceServers);
  }
};
"""


class StunServer(asyncio.DatagramProtocol):
    """Answers binding requests, and remembers them."""

    def __init__(self) -> None:
        self.asked: list[stun.Message] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        self.asked.append(request)
        answer = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = addr
        self._transport.sendto(bytes(answer), addr)


async def test_the_page_connects_with_the_servers_that_it_is_told_of() -> None:
    loop = asyncio.get_running_loop()
    host = socket.gethostbyname(socket.gethostname())
    transport, server = await loop.create_datagram_endpoint(StunServer, (host, 0))
    port = transport.get_extra_info("sockname")[1]
    setting = f'serve.ice_servers=["stun:{host}:{port}"]'
    turn = ice_links([ice_server(r'turns:eve:p"a\ss,; rel="x@[::1]:5349?transport=tcp')])
    async with on_air(setting) as (url, session), opened("about:blank") as page:
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=CONFIGURED)
        await page.open(f"{url}publish")
        # Before any offer, so that none of these requests is the daemon's own.
        found = await page.evaluate(
            """import("/web/negotiate.js").then(async ({ iceServers }) => {
                  const url = "/sessions/live/whip";
                  const told = await iceServers(url, { token: "publishers-key" });
                  const untold = await iceServers(url, { token: "another" });
                  const connection = new RTCPeerConnection({ iceServers: told });
                  connection.addTransceiver("audio");
                  const reflexive = new Promise((resolve) => {
                    connection.onicecandidate = ({ candidate }) =>
                      candidate?.type === "srflx" || candidate === null ? resolve(true) : 0;
                  });
                  await connection.setLocalDescription();
                  await reflexive;
                  connection.close();
                  return [told, untold];
                })"""
        )
        assert found[0][0]["urls"] == f"stun:{host}:{port}" and found[1] == []
        assert server.asked and server.asked[0].message_method == stun.Method.BINDING
        assert "Link" in turn
        stub = f"""(() => {{
              window.fetch = async () => new Response("", {{ headers: {json.dumps(turn)} }});
              return import("/web/negotiate.js").then(({{ iceServers }}) => iceServers("/", {{}}));
            }})()"""
        secret = {"username": "eve", "credential": r'p"a\ss,; rel="x'}
        assert await page.evaluate(stub) == [{"urls": "turns:[::1]:5349?transport=tcp", **secret}]
        await page.open(url)
        await page.until("$('state').dataset.state === 'live'", within=90)
        (told,) = await page.evaluate("configured")
        assert [server["urls"] for server in told] == [[f"stun:{host}:{port}"]]
    transport.close()
