"""A shared cache must not keep for everybody what one viewer was let in to see."""

import pytest

from tests.helpers.daemons import served

TOKEN = "of-the-viewers"


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_what_is_protected_is_for_one_viewer(token: str | None) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with served() as it:
        created = await it.http.post("/sessions", json={"id": "s", "play_token": token})
        assert created.headers["cache-control"] == "no-store"  # it holds the key
        folder = it.daemon.sessions["s"].folder
        (folder / "master.m3u8").write_text("#EXTM3U\n")
        for name in ("video-ab-1.m4s", "video-ab-0.mp4", "text-pt-ab-1.vtt"):
            (folder / name).write_bytes(b"x")
        playlist = await it.http.get("/sessions/s/hls/master.m3u8", headers=headers)
        assert playlist.headers["cache-control"] == ("no-store" if token else "no-cache")
        for name in ("video-ab-1.m4s", "video-ab-0.mp4", "text-pt-ab-1.vtt"):
            if token:
                assert (await it.http.get(f"/sessions/s/hls/{name}")).status_code == 401
            answer = await it.http.get(f"/sessions/s/hls/{name}", headers=headers)
            rules = set(answer.headers["cache-control"].split(", "))
            assert rules & {"public", "private"} == ({"private"} if token else {"public"})
            assert "immutable" in rules
            if token:
                assert "Authorization" in answer.headers["vary"]
