"""Two headers that say how the connection is used, read as their RFC has them: Tornado knows one spelling of each."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPHeaders

_CONTINUE = "100-continue"


def read_connection_options(connection: Any, headers: HTTPHeaders) -> None:
    """Have Tornado close the connection after the answer, and ask for the body, where the client says so.

    connection: Tornado's, which has looked at ``Connection`` and is about to look at ``Expect``.
    """
    options = headers.get("Connection")
    # A list, as that of Perl's client: "TE, close". Who asks for the close may wait for it (RFC 9112 §9.6).
    if options is not None and "close" in [o.strip() for o in options.lower().split(",")]:
        connection._disconnect_on_finish = True
    expectation = headers.get("Expect")
    # In any letter case (RFC 9110 §10.1.1). Java's client writes 100-Continue, and sends no body before it is asked.
    if expectation is not None and expectation.lower() == _CONTINUE:
        headers["Expect"] = _CONTINUE
