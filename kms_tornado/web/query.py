"""The parameters of a request's query, decoded."""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest


class BadQuery(Exception):
    """The query cannot be read. The text of the error is for the caller."""


def decode_query(request: HTTPServerRequest) -> dict[str, list[str]]:
    """{name: its values}. Raises BadQuery."""
    try:
        return {
            name: [value.decode() for value in values]
            for name, values in request.query_arguments.items()
        }
    except UnicodeDecodeError:
        raise BadQuery("the parameters are no UTF-8") from None
