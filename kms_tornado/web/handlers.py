"""The server's handlers: KMIP, version, health, readiness, metadata. A few lines each."""

from __future__ import annotations

import json
import re
from typing import Any

from .. import __version__
from ..errors import KMIPError, Unavailable
from ..kmip.batch import RequestMessage
from ..kmip.messages import (
    BareOperation,
    format_bare_response,
    format_message,
    parse_binary_message,
    parse_message,
    parse_request,
)
from ..kmip.responses import new_correlation_value, response_message
from ..kmip.tables import OPERATION_TAGS
from ..kmip.ttlv import Dialect, encoded_length
from ..operations import batch
from .bearer_auth import BearerAuth
from .service_handler import ProtectedHandler, ServiceHandler, resource_url

#: Above it, reading the JSON is worth a thread: about a millisecond for 64 KiB of nodes.
OFFLOAD_BYTES = 64 * 1024

JSON = "application/json"
BINARY = "application/octet-stream"  # KMIP 2.1 Profiles, "HTTPS Client" and "HTTPS Server"


class KMIPHandler(ProtectedHandler):
    """POST one bare KMIP operation or one RequestMessage, as JSON TTLV.

    A bare operation: 200, or 422 with ``Result_Reason: message``. A message: 200, failures inside it.
    """

    takes_body = True

    async def post(self) -> None:
        try:
            self.write(await self._answer_to(self.body))
            self.fields.setdefault("result", "Success")
        except KMIPError as exc:
            self.fields["result"] = exc.reason_with_underscores
            write_failure(self, exc)
        except Unavailable as exc:
            self.refuse_for_now(exc)

    def on_finish(self) -> None:
        super().on_finish()
        if self.context.metrics is not None:
            for fields in self.entries or [self.fields]:
                if "result" in fields:
                    operation = fields.get("operation", "none")
                    self.context.metrics.observe_operation(operation, fields["result"])

    def parse(self, body: bytes) -> BareOperation | RequestMessage:
        return parse_request(body, self.context.kms.service.operations)

    async def _answer_to(self, body: bytes) -> bytes:
        if len(body) > OFFLOAD_BYTES:
            parsed = await self.offload(lambda: self.parse(body))
        else:
            parsed = self.parse(body)
        if isinstance(parsed, RequestMessage):
            return await self._answer_to_message(parsed)
        return await self._answer_to_operation(parsed, is_long=len(body) > OFFLOAD_BYTES)

    async def _answer_to_operation(self, parsed: BareOperation, *, is_long: bool) -> bytes:
        kms = self.context.kms
        operation, request, dialect = parsed
        self.fields["operation"] = OPERATION_TAGS[operation]
        self._note_identifier(request)
        response = await kms.service.execute(self.current_user, operation, request)
        self._note_identifier(response)
        self._set_type(JSON)
        if is_long:
            return await self.offload_surely(
                lambda: format_bare_response(operation, response, dialect)
            )
        return format_bare_response(operation, response, dialect)

    async def _answer_to_message(self, message: RequestMessage) -> bytes:
        kms = self.context.kms
        now = kms.service.now()
        correlation = new_correlation_value(message)
        empty = response_message(message, (), now=now, server_correlation_value=correlation)
        overhead = encoded_length(empty)
        results = await batch.run(kms.service, self.current_user, message, overhead=overhead)
        self._note_results(message, results, correlation)
        answer = response_message(
            message,
            [each.node for each in results],
            now=now,
            server_correlation_value=correlation,
        )
        self._set_type(BINARY if message.dialect is Dialect.BINARY else JSON)
        if encoded_length(answer) > OFFLOAD_BYTES:
            return await self.offload_surely(lambda: format_message(answer, message.dialect))
        return format_message(answer, message.dialect)

    def _note_results(
        self, message: RequestMessage, results: list[batch.ItemResult], correlation: str | None
    ) -> None:
        """For log and metrics: an entry for each operation, as if it had come alone."""
        common: dict[str, Any] = {}
        if message.header is not None and message.header.client_correlation_value is not None:
            common["client_correlation"] = message.header.client_correlation_value
            common["server_correlation"] = correlation
        for number, each in enumerate(results, 1):
            fields: dict[str, Any] = {"operation": each.operation}
            if each.uid:
                fields["uid"] = each.uid
            fields["result"] = each.result
            if len(message.items) > 1:
                fields["item"] = f"{number}/{len(message.items)}"
            self.entries.append({**fields, **common})

    def _set_type(self, media_type: str) -> None:
        self.set_header("Content-Type", media_type)
        self.set_header("Cache-Control", "no-store")

    def _note_identifier(self, payload: Any) -> None:
        """For the log: who used which key. The answer's identifier is the real one of a tag list.

        Of a pair the private key's, whose link leads to the other.
        """
        uid = getattr(payload, "unique_identifier", None) or getattr(
            payload, "private_key_unique_identifier", None
        )
        if uid:
            self.fields["uid"] = uid


def write_failure(handler: ServiceHandler, error: KMIPError) -> None:
    """The one line that published clients show; what it quotes of the request stays one line."""
    message = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(error)).strip()
    handler.set_status(422)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.set_header("Cache-Control", "no-store")
    handler.write(f"{error.reason_with_underscores}: {message}")


class KMIPMessageHandler(KMIPHandler):
    """POST one RequestMessage, as JSON TTLV or in binary as the Content-Type says.

    A bare operation is answered with a message, too, that refuses it.
    """

    def parse(self, body: bytes) -> RequestMessage:
        content_type = self.request.headers.get("Content-Type", "")
        is_binary = content_type.partition(";")[0].strip().lower() == BINARY
        parse = parse_binary_message if is_binary else parse_message
        return parse(body, self.context.kms.service.operations)


class JSONHandler(ServiceHandler):
    """Answers with plain JSON."""

    def answer(self, value: Any, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(value))


class VersionHandler(JSONHandler):
    def get(self) -> None:
        self.answer(__version__)


class HealthHandler(JSONHandler):
    """Alive: the process answers. Says nothing of what it depends on."""

    def get(self) -> None:
        self.answer({"status": "UP"})


class ReadyHandler(JSONHandler):
    """200 only when every issuer's keys are loaded and the database answers; names each check."""

    async def get(self) -> None:
        checks = {"database": await self._database(), **self._issuers()}
        if self.context.is_stopping:
            checks["server"] = {"status": "DOWN", "problem": "stopping"}
        is_up = all(check["status"] == "UP" for check in checks.values())
        self.answer({"status": "UP" if is_up else "DOWN", "checks": checks}, 200 if is_up else 503)

    async def _database(self) -> dict[str, Any]:
        try:
            await self.context.kms.store.ping()
        except Unavailable as exc:
            return {"status": "DOWN", "problem": str(exc)}
        return {"status": "UP"}

    def _issuers(self) -> dict[str, dict[str, Any]]:
        auth = self.context.auth or self.settings.get("bearer_auth")
        if not isinstance(auth, BearerAuth):
            return {}
        checks = {}
        for status in auth.status():
            check: dict[str, Any] = {
                "status": "UP" if status.state in {"ok", "failing"} else "DOWN",
                "keys": status.keys,
                "key_state": status.state,
            }
            if status.age_s is not None:
                check["age_seconds"] = round(status.age_s)
            if status.failing_for_s is not None:
                check["failing_for_seconds"] = round(status.failing_for_s)
            if status.problem is not None:
                check["problem"] = status.problem
            checks[f"issuer {status.issuer}"] = check
        return checks


class MetadataHandler(JSONHandler):
    """Where to get a token for this server (RFC 9728 §2)."""

    def get(self) -> None:
        document: dict[str, Any] = {
            "resource": resource_url(self),
            "bearer_methods_supported": ["header"],
            "resource_name": "kms_tornado",
        }
        auth = self.context.auth or self.settings.get("bearer_auth")
        if isinstance(auth, BearerAuth):
            document["authorization_servers"] = [i.uri for i in auth.settings.issuers]
        self.answer(document)


class MetricsHandler(ServiceHandler):
    """Prometheus text; there is no such route without --metrics."""

    async def get(self) -> None:
        metrics, of_all = self.context.metrics, self.context.worker_metrics
        assert metrics is not None
        text = metrics.text() if of_all is None else await of_all.text()
        self.set_header("Content-Type", metrics.content_type)
        self.finish(text)
