"""Of an encrypted file nothing was dubbed and nothing said; it must be said in a sentence."""

from pathlib import Path

import pytest

from stream.media.source import SourceError
from tests.helpers.dubbed_file import read, written
from tests.helpers.films import Track, film

KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


@pytest.mark.parametrize("suffix", ["mp4", "mov", "m4a"])
def test_it_is_said(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path / f"film.{suffix}", Track(), length=0.4, options=KEY)
    with pytest.raises(SourceError, match=rf"film\.{suffix} is encrypted: decrypt it first"):
        read(path)


def test_sound_that_cannot_be_decoded_at_all_is_said(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", Track(codec="flac"), length=1)
    content = bytearray(path.read_bytes())
    half = len(content) // 8
    content[half:] = bytes(
        byte ^ 0x5A if i % 7 == 0 else byte for i, byte in enumerate(content[half:])
    )
    path.write_bytes(content)
    with pytest.raises(SourceError, match="nothing of its audio track can be decoded"):
        read(path)


def test_one_damaged_packet_is_not(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", Track(), length=1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    written(path, tmp_path / "out.mkv")
