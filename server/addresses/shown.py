"""Addresses in logs and answers: without user, path and query, which may be secrets."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+", re.IGNORECASE)


def shown(url: str) -> str:
    """Scheme, host and port of a URL; of a file, its name.

    Args:
        url: or the path of a file.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "an address"
    if not host:
        return url.rpartition("/")[2]
    place = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{place}" + (f":{port}" if port is not None else "")


def without_addresses(text: str, url: str, name: str = "the source") -> str:
    """A sentence in which a URL is called by a name, and other addresses are as ``shown``.

    Args:
        text: of an error.
        url: that it is about.
        name: to give it.
    """
    path = url.removeprefix("file:")
    for known in (url, path):
        text = text.replace(known, name)
    return _ADDRESS.sub(lambda found: shown(found[0]), text)
