"""Whose certificates are accepted where TLS is spoken here, and not by FFmpeg."""

from __future__ import annotations

import ssl

import certifi


def checking(verify: bool) -> ssl.SSLContext:
    """Settings of TLS for a client.

    Args:
        verify: whether certificates are checked, against the authorities that browsers trust.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
