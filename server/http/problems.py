"""Refusals over HTTP: RFC 9457 problem documents of one sentence."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from server.mistakes import kind_of, mistakes
from server.problems import Problem


def problem_response(
    status: int, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """The response that states a refusal."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, headers=headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every refusal of ``app`` in this form."""

    @app.exception_handler(Problem)
    async def refused(request: Request, error: Problem) -> JSONResponse:
        return problem_response(error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return problem_response(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        details = [{**one, "loc": one["loc"][1:]} for one in error.errors()]
        body = getattr(request.scope.get("route"), "body_field", None)
        if body is None:
            return problem_response(422, mistakes(details, Any, None))
        if not isinstance(error.body, dict):
            sent = "is missing" if error.body is None else f"is {kind_of(error.body)}"
            needed = "send a JSON object with Content-Type: application/json"
            return problem_response(422, f"the body {sent}: {needed}")
        return problem_response(422, mistakes(details, body.field_info.annotation, error.body))
