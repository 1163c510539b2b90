"""The server's handlers: KMIP, version, health, readiness, metadata. A few lines each."""

from __future__ import annotations

import json
import re
from typing import Any

from .. import __version__
from ..errors import KMIPError, Unavailable
from ..kmip.messages import format_bare_response, parse_bare_operation
from ..kmip.tables import OPERATION_TAGS
from .bearer_auth import BearerAuth
from .service_handler import ProtectedHandler, ServiceHandler, resource_url

#: Above it, reading the JSON is worth a thread: about a millisecond for 64 KiB of nodes.
OFFLOAD_BYTES = 64 * 1024


class KMIPHandler(ProtectedHandler):
    """POST one bare KMIP operation as JSON TTLV; 200, or 422 with ``Result_Reason: message``."""

    takes_body = True

    def on_finish(self) -> None:
        super().on_finish()
        if self.context.metrics is not None and "result" in self.fields:
            operation = self.fields.get("operation", "none")
            self.context.metrics.observe_operation(operation, self.fields["result"])

    async def post(self) -> None:
        try:
            self.write(await self._answer_to(self.body))
            self.fields["result"] = "Success"
        except KMIPError as exc:
            self.fields["result"] = exc.reason_with_underscores
            write_failure(self, exc)
        except Unavailable as exc:
            self.refuse_for_now(exc)

    async def _answer_to(self, body: bytes) -> bytes:
        kms = self.context.kms
        if len(body) > OFFLOAD_BYTES:
            parsed = await kms.offload(lambda: parse_bare_operation(body))
        else:
            parsed = parse_bare_operation(body)
        operation, request, dialect = parsed
        self.fields["operation"] = OPERATION_TAGS[operation]
        self._note_identifier(request)
        response = await kms.service.execute(self.current_user, operation, request)
        self._note_identifier(response)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        if len(body) > OFFLOAD_BYTES:
            return await kms.offload(lambda: format_bare_response(operation, response, dialect))
        return format_bare_response(operation, response, dialect)

    def _note_identifier(self, payload: Any) -> None:
        """For the log: who used which key. The answer's identifier is the real one of a tag list."""
        uid = getattr(payload, "unique_identifier", None)
        if uid:
            self.fields["uid"] = uid


def write_failure(handler: ServiceHandler, error: KMIPError) -> None:
    """The one line that published clients show; what it quotes of the request stays one line."""
    message = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(error)).strip()
    handler.set_status(422)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.set_header("Cache-Control", "no-store")
    handler.write(f"{error.reason_with_underscores}: {message}")


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

    def get(self) -> None:
        metrics = self.context.metrics
        assert metrics is not None
        self.set_header("Content-Type", metrics.content_type)
        self.finish(metrics.text())
