"""ServiceHandler: what all handlers of the server share: bounded bodies, JSON errors, quiet logs."""

from __future__ import annotations

import json
import logging
import re
from asyncio import Future
from types import TracebackType
from typing import Any

from tornado.web import HTTPError, RequestHandler, stream_request_body

from .base import BearerAuthMixin

log = logging.getLogger("kms_tornado.web")
access_log = logging.getLogger("kms_tornado.access")

#: A refused body is read and dropped for so long, so that the client gets to read the answer.
_DRAIN_S = 5.0

_ERRORS = {
    400: ("bad_request", "the request is malformed"),
    404: ("not_found", "there is nothing at this path"),
    405: ("method_not_allowed", "this path does not take this method"),
    413: ("content_too_large", "the body is larger than the server accepts"),
    500: ("internal_error", "the server failed; its log has the details"),
}


@stream_request_body
class ServiceHandler(RequestHandler):
    """Collects a body of at most ``settings["max_body_size"]`` bytes as it streams in.

    Streaming has the handler run when the headers are there, so that what is refused (no token, too
    large) is refused before its body takes any memory, with an answer of ours.
    """

    #: For the access log: who asked for what, and how it ended.
    fields: dict[str, Any]

    def initialize(self) -> None:
        self.fields = {}
        self._chunks = bytearray()
        self._in_flight: set[RequestHandler] = self.settings["in_flight"]
        self._in_flight.add(self)

    def set_default_headers(self) -> None:
        self.set_header("Server", "kms-tornado")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        self._limit: int = self.settings["max_body_size"]
        length = self.request.headers.get("Content-Length", "0")
        if length.isascii() and length.isdigit() and int(length) > self._limit:
            raise HTTPError(413)

    def data_received(self, chunk: bytes) -> None:
        if len(self._chunks) + len(chunk) > self._limit:
            self._chunks.clear()
            self.send_error(413)
        else:
            self._chunks += chunk

    @property
    def body(self) -> bytes:
        return bytes(self._chunks)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Percent-decoded path parts; what is no UTF-8 names nothing that exists."""
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(404) from None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 413:
            self._drain()
        error, description = _ERRORS.get(status_code, ("error", self._reason))
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps({"error": error, "error_description": description}))

    def _drain(self) -> None:
        """Let Tornado read on for a while: closing at once would reset the unread answer away."""
        connection: Any = self.request.connection
        connection.set_max_body_size(1 << 62)
        connection.set_body_timeout(_DRAIN_S)
        self.set_header("Connection", "close")

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> Future[None]:
        if self.settings["stopping"].is_set():
            self.set_header("Connection", "close")
        flushed = super().finish(chunk)
        flushed.add_done_callback(lambda _: self._in_flight.discard(self))
        return flushed

    def on_connection_close(self) -> None:
        self._in_flight.discard(self)
        super().on_connection_close()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Tornado's own would log the whole URI, query string included."""
        if isinstance(value, HTTPError):
            return  # the access log says it
        log.error(
            "%s %s failed", self.request.method, self.request.path,
            exc_info=(typ, value, tb) if typ and value else None,
        )  # fmt: skip


class ProtectedHandler(BearerAuthMixin, ServiceHandler):
    """A ServiceHandler that needs a bearer token."""

    def resource_metadata_url(self) -> str | None:
        return f"{self.request.protocol}://{self.request.host}{METADATA_PATH}"

    def compute_etag(self) -> None:
        """No hashing of answers that nobody may cache."""


METADATA_PATH = "/.well-known/oauth-protected-resource"


class NotFoundHandler(ServiceHandler):
    """Every path that no route has."""

    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404)


def log_request(handler: RequestHandler) -> None:
    """One line a request; the path without its query, where careless clients put tokens."""
    status = handler.get_status()
    request = handler.request
    fields: dict[str, Any] = getattr(handler, "fields", {})
    user = getattr(handler.current_user, "name", None)
    if user is not None:
        fields = {"user": user, **fields}
    took_ms = 1000.0 * request.request_time()
    level = logging.ERROR if status >= 500 and status != 503 else logging.INFO
    if not access_log.isEnabledFor(level):
        return
    access_log.log(
        level,
        "%d %s %s %s %.1fms%s",
        status, request.method, request.path, request.remote_ip, took_ms,
        "".join(f" {name}={_shown(value)}" for name, value in fields.items()),
        extra={
            "fields": {
                "status": status, "method": request.method, "path": request.path,
                "remote_ip": request.remote_ip, "ms": round(took_ms, 1), **fields,
            }
        },
    )  # fmt: skip


def _shown(value: object) -> str:
    """A value of name=value: quoted where it could be taken for more than one of them."""
    text = str(value)
    return text if re.fullmatch(r"[\w.@:#/+-]+", text) else json.dumps(text[:200])
