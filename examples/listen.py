"""Listen to the dub of a live session by WebSocket: print what it says and write a WAV file.

python listen.py ws://localhost:8080/sessions/live/listen dub.wav
"""

import asyncio
import json
import sys
import wave

from websockets.asyncio.client import connect


async def listen(url: str, path: str) -> None:
    async with connect(f"{url}?format=pcm_s16le&rate=24000&channels=1") as socket:
        with wave.open(path, "wb") as file:
            file.setparams((1, 2, 24_000, 0, "NONE", ""))
            async for received in socket:  # until the session ends
                if isinstance(received, bytes):
                    file.writeframes(received[16:])  # the header says when it is heard
                elif (message := json.loads(received)).get("kind") == "translation":
                    print(message["text"])
                elif message["type"] == "gap":  # this listener was too slow: stay in time
                    file.writeframes(bytes(message["end"] - message["start"]))  # 1/48000 s each


if __name__ == "__main__":
    asyncio.run(listen(*sys.argv[1:]))
