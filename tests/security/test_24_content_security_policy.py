"""A page of the daemon's can neither be turned against it nor send what it knows elsewhere."""

import pytest

from tests.helpers.daemons import served


@pytest.mark.parametrize(("page", "films"), [("/", False), ("/operate", False), ("/publish", True)])
async def test_pages_can_do_what_they_need_and_nothing_else(page: str, films: bool) -> None:
    async with served() as it:
        headers = (await it.http.get(page)).headers
    rules = dict(
        rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";")
    )
    assert rules["connect-src"] == "'self'"  # no WebSocket to another host
    assert rules["default-src"] == rules["form-action"] == rules["frame-ancestors"] == "'self'"
    assert rules["object-src"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert ("camera=(self)" in headers["permissions-policy"]) is films
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
