"""Errors of HTTP requests as RFC 9457 problem documents, each with one sentence."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from server.webrtc_peer import OfferError, UnsupportedOfferError


class ProblemRoute(APIRoute):
    """Tells of errors as RFC 9457 problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with its errors put into words."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except OfferError as error:
                return problem(400, str(error))
            except UnsupportedOfferError as error:
                return problem(422, str(error))
            except RequestValidationError as error:
                first = error.errors()[0]
                return problem(400, f"{first['loc'][-1]}: {first['msg']}")
            except HTTPException as error:
                return problem(error.status_code, str(error.detail), error.headers)

        return guarded


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An RFC 9457 problem document."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, headers, "application/problem+json")
