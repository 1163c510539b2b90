"""What the head of a request says about its body (RFC 9112 §6), and in which pieces the body is read."""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders

from ..service.load.loop_turns import BODY_PIECE

_NUMBER = re.compile("[0-9]{1,4000}")


def ends_piece(before: int, after: int) -> bool:
    """Whether a piece of a body ended between these two lengths: what had arrived before, and what has arrived now."""
    return before // BODY_PIECE != after // BODY_PIECE


def is_framed(headers: HTTPHeaders) -> bool:
    """Whether the headers say where the body ends (RFC 9112 §6.3). If not, Tornado refuses the request."""
    if "Transfer-Encoding" in headers:
        return headers["Transfer-Encoding"].lower() == "chunked" and "Content-Length" not in headers
    return "Content-Length" not in headers or parse_content_length(headers) is not None


def parse_content_length(headers: HTTPHeaders) -> int | None:
    """Content-Length in bytes; None where it is absent or not a number.

    Python refuses to parse more than 4300 digits, so a longer number counts as none.
    """
    text = headers.get("Content-Length", "")
    return int(text) if _NUMBER.fullmatch(text) else None
