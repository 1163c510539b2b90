"""Two headers that say how the connection is used, read as their RFC has them: Tornado knows one spelling of each."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPHeaders

_CONTINUE = "100-continue"


def read_connection_options(connection: Any, headers: HTTPHeaders) -> None:
    """Have Tornado close the connection after the answer, and ask for the body, where the client says so.

    connection: Tornado's, which has looked at ``Connection`` and is about to look at ``Expect``.
    """
    # Hardly any request has them; `get` of one that is absent takes five times as long as to look whether it is there.
    if "Connection" in headers:
        options = headers["Connection"].lower().split(",")
        # A list, as that of Perl's client: "TE, close". Who asks for the close may wait for it (RFC 9112 §9.6).
        if "close" in [option.strip() for option in options]:
            connection._disconnect_on_finish = True
    # In any letter case (RFC 9110 §10.1.1). Java's client writes 100-Continue, and sends no body before it is asked.
    if "Expect" in headers and headers["Expect"].lower() == _CONTINUE:
        headers["Expect"] = _CONTINUE
