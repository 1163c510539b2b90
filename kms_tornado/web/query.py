"""The parameters of a request's query, decoded."""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest


def decode_query(request: HTTPServerRequest) -> dict[str, list[str]]:
    """{name: its values}. Raises UnicodeDecodeError for what is no UTF-8."""
    return {
        name: [value.decode() for value in values]
        for name, values in request.query_arguments.items()
    }
