"""What clients read: answers as values, and the words of those that refuse."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from ..errors import KMIPError, Unavailable

JSON = "application/json"
JSON_ERROR = "application/json; charset=UTF-8"
BINARY = "application/octet-stream"  # KMIP 2.1 Profiles, "HTTPS Client" and "HTTPS Server"
TEXT = "text/plain; charset=utf-8"

#: Status → (error, description), for what no handler says in its own words.
ERRORS = {
    400: ("bad_request", "the request is malformed"),
    404: ("not_found", "there is nothing at this path"),
    405: ("method_not_allowed", "this path does not take this method"),
    413: ("content_too_large", "the body is larger than the server accepts"),
    500: ("internal_error", "the server failed; its log has the details"),
}


class Answer(NamedTuple):
    """One that nobody may keep. retry_after_s: when to come back, of a 503."""

    status: int
    media_type: str
    body: bytes
    retry_after_s: int | None = None


def failed(error: KMIPError) -> Answer:
    """The one line that published clients show; what it quotes of the request stays one line."""
    message = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(error)).strip()
    return Answer(422, TEXT, f"{error.reason_with_underscores}: {message}".encode())


def unavailable(error: Unavailable) -> Answer:
    body = error_body("temporarily_unavailable", str(error))
    return Answer(503, JSON_ERROR, body, error.retry_after_s)


def internal_error() -> Answer:
    return Answer(500, JSON_ERROR, error_body(*ERRORS[500]))


def error_body(error: str, description: str) -> bytes:
    return json.dumps({"error": error, "error_description": description}).encode()
