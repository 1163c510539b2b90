"""The server's handlers: KMIP, version, health, readiness, metadata. A few lines each."""

from __future__ import annotations

import json
from typing import Any

from .. import __version__
from ..errors import Unavailable
from .kmip_exchange import Exchange, reader_of
from .service_handler import ProtectedHandler, ServiceHandler, resource_url


class KMIPHandler(ProtectedHandler):
    """POST one bare KMIP operation or one RequestMessage; what is taken where, the route says.

    Most requests never get here: `fast_lane` answers those whose token is known, in the same words.
    """

    takes_body = True

    async def post(self) -> None:
        exchange = Exchange(self.context.kms, self.current_user)
        self.fields, self.entries = exchange.fields, exchange.entries
        read = reader_of(self.route, self.request.headers.get("Content-Type", ""))
        try:
            self.give(await exchange.answer(self.body, read))
        except Unavailable as exc:
            self.refuse_for_now(exc)

    def on_finish(self) -> None:
        super().on_finish()
        if self.context.metrics is not None:
            self.context.metrics.observe_operations(self.entries or [self.fields])


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
        auth = self.auth
        checks: dict[str, dict[str, Any]] = {}
        for status in () if auth is None else auth.status():
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
        auth = self.auth
        if auth is not None and auth.issuers:
            document["authorization_servers"] = list(auth.issuers)
        self.answer(document)


class MetricsHandler(ServiceHandler):
    """Prometheus text; there is no such route without --metrics."""

    async def get(self) -> None:
        metrics, of_all = self.context.metrics, self.context.worker_metrics
        assert metrics is not None
        text = metrics.text() if of_all is None else await of_all.text()
        self.set_header("Content-Type", metrics.content_type)
        self.finish(text)
