"""A refusal over HTTP, as those who refuse know it; it is answered by `server.http.problems`."""

from __future__ import annotations

from stream.errors import LivedubError


class Problem(LivedubError):
    """A request is refused.

    Args:
        status: 4xx or 5xx.
        detail: one sentence that says what is wrong and what to do.
        headers: to be sent with it.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
