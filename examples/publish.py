"""Publish a file at its own pace, or a microphone, into a live session by WebSocket.

python publish.py ws://localhost:8080/sessions/live/publish KEY talk.mp4
python publish.py ws://localhost:8080/sessions/live/publish KEY          # microphone
"""

import asyncio
import json
import subprocess
import sys

from websockets.asyncio.client import connect

MICROPHONE = {"darwin": ["avfoundation", "-i", ":0"], "linux": ["pulse", "-i", "default"]}


async def publish(url: str, key: str, file: str | None = None) -> None:
    source = ["-re", "-i", file] if file else ["-f", *MICROPHONE[sys.platform]]
    ffmpeg = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-v", "error", "-nostdin", *source),
        *("-f", "s16le", "-ac", "1", "-ar", "48000", "-"),
        stdout=subprocess.PIPE,
    )
    assert ffmpeg.stdout is not None
    # `framing=raw`: every message is samples without a header; each continues the one before.
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{url}?framing=raw", additional_headers=headers) as socket:
        print(await socket.recv())  # the hello
        while sound := await ffmpeg.stdout.read(9600):
            sound += await ffmpeg.stdout.read(1) if len(sound) % 2 else b""
            await socket.send(sound)
        await socket.send(json.dumps({"type": "end"}))
        print(await socket.recv())  # how far it was taken


if __name__ == "__main__":
    asyncio.run(publish(*sys.argv[1:]))
