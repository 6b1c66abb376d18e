"""The HTTP API under schemathesis: whatever comes is answered, and refused in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.live_server import LiveServer


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    server = LiveServer("serve.max_sessions=200")
    yield server
    server.close()
    assert not server.errors, server.errors


def test_nothing_that_is_sent_breaks_the_api(server: LiveServer) -> None:
    # To be imported by the process that needs it, and no other.
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 10
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    statuses = set()
    for operation in operations:
        cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

        @settings(examples(0.6), suppress_health_check=list(HealthCheck))
        @given(cases)
        def call(case: Any) -> None:
            response = case.call(timeout=20)
            statuses.add(response.status_code)
            assert response.status_code < 500, (response.request.body, response.text)
            if response.status_code >= 400:
                kind = response.headers["content-type"][0]
                assert kind.startswith("application/problem+json"), (response.request, kind)

        call()
    assert {200, 201, 404, 422} <= statuses
