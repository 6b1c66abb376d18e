"""Segments of HLS that are encrypted as a whole, with AES-128 in CBC mode (RFC 8216, 4.3.2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7


def decrypted(pieces: Iterator[bytes], key: bytes, iv: bytes) -> Iterator[bytes]:
    """The content of a segment; one that is damaged ends early.

    Args:
        pieces: as they come.
        key: 16 bytes.
        iv: initialisation vector, 16 bytes.
    """
    cipher = Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor()
    padding = PKCS7(128).unpadder()
    for piece in pieces:
        if plain := padding.update(cipher.update(piece)):
            yield plain
    try:
        last = padding.update(cipher.finalize()) + padding.finalize()
    except ValueError:
        return
    if last:
        yield last
