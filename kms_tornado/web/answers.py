"""Answers as values, with their headers, and the bodies of error answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import KMIPError, Unavailable
from ..wording import format_size

JSON = "application/json"
JSON_ERROR = "application/json; charset=UTF-8"
BINARY = "application/octet-stream"  # KMIP 2.1 Profiles, "HTTPS Client" and "HTTPS Server"
TEXT = "text/plain; charset=utf-8"

#: Headers of every answer. nosniff keeps browsers from guessing another media type.
COMMON_HEADERS = (("Server", "kms-tornado"), ("X-Content-Type-Options", "nosniff"))

#: Status → (error, description), for errors without a text of their own. A description says what to do;
#: `render_error` fills in what stands in braces.
ERRORS = {
    400: ("bad_request", "the request is not well-formed HTTP: compare it with RFC 9112"),
    404: (
        "not_found",
        "there is nothing at this path: KMIP is posted to {prefix}/kmip_2_1, "
        "and {prefix}/openapi.json lists all paths",
    ),
    405: ("method_not_allowed", "this path does not take this method: send {methods}"),
    413: (
        "content_too_large",
        "the body is larger than {limit} (--max-body-size): send the data in parts "
        "(docs/http.md#limits), or encrypt the file with kmsctl encrypt",
    ),
    500: ("internal_error", "the server failed; its log has the details"),
}


class Answer(NamedTuple):
    """An answer that no cache may store.

    retry_after_s: seconds after which the client may try again; only a 503 has it.
    """

    status: int
    media_type: str
    body: bytes
    retry_after_s: int | None = None

    def set_headers(self, set_header: Callable[[str, str], None]) -> None:
        """Call `set_header` with the name and value of each header of this answer."""
        set_header("Content-Type", self.media_type)
        set_header("Cache-Control", "no-store")
        if self.retry_after_s is not None:
            set_header("Retry-After", str(self.retry_after_s))


def render_failure(error: KMIPError) -> Answer:
    """422 with the one line that the published clients show: ``Result_Reason: message``.

    The message may quote the request, so line breaks and control characters are replaced by spaces.
    """
    message = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(error)).strip()
    return Answer(422, TEXT, f"{error.reason_with_underscores}: {message}".encode())


def render_unavailable(error: Unavailable) -> Answer:
    """503: nothing was done, and another try may succeed."""
    body = render_error_body("temporarily_unavailable", str(error))
    return Answer(503, JSON_ERROR, body, error.retry_after_s)


def render_internal_error() -> Answer:
    """500 without details of the fault, which only the log shows."""
    return Answer(500, JSON_ERROR, render_error(500, "internal error"))


def render_error(
    status: int,
    phrase: str,
    *,
    prefix: str = "",
    methods: Sequence[str] = (),
    max_body_size: int = 0,
) -> bytes:
    """The body of an error answer of the transport. Its text is `phrase` where ERRORS has no row for the status.

    prefix: the path below which the routes are mounted.
    methods: the HTTP methods that the path accepts.
    max_body_size: in bytes.
    """
    if status not in ERRORS:
        return render_error_body("error", phrase)
    error, description = ERRORS[status]
    values = {
        "prefix": prefix, "methods": " or ".join(methods), "limit": format_size(max_body_size)
    }  # fmt: skip
    return render_error_body(error, description.format(**values))


def render_error_body(error: str, description: str) -> bytes:
    """The JSON body of every transport error: ``{"error": …, "error_description": …}``."""
    return json.dumps({"error": error, "error_description": description}).encode()
