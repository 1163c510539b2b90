"""The handlers of KMIP, of the caller's own identity, and of what the server says about itself."""

from __future__ import annotations

import json
from typing import Any

from ... import __version__
from ...errors import Unavailable
from ..answers import JSON, Answer, render_unavailable
from ..bearer.metadata import describe_resource
from ..bearer.refusals import refuse
from ..kmip_exchange import Exchange
from ..openapi import APIDocument, render_document
from .protected_handler import ProtectedHandler
from .service_handler import ServiceHandler


class KMIPHandler(ProtectedHandler):
    """POST of one bare KMIP operation or one RequestMessage; the route says which of them it accepts.

    Most requests never get here: `fast_lane` answers those whose token is known, with the same
    `Exchange`.
    """

    takes_body = True

    async def post(self) -> None:
        exchange = Exchange(
            self.context.kms,
            self.current_user,
            self.origin,
            route=self.route,
            path=self.request.path,
            content_type=self.request.headers.get("Content-Type", ""),
            held=self._held,
        )
        self.log_entries = exchange.log_entries
        self.send_answer(await exchange.find_answer(self.take_body()))

    def on_finish(self) -> None:
        super().on_finish()
        if self.context.metrics is not None:
            self.context.metrics.observe_operations(self.log_entries, self.request.request_time())


class JSONHandler(ServiceHandler):
    """Answers with plain JSON."""

    def answer_json(self, value: Any, status: int = 200) -> None:
        self.send_answer(Answer(status, JSON, json.dumps(value).encode()))


class VersionHandler(JSONHandler):
    """The server's version, as a JSON string."""

    def get(self) -> None:
        self.answer_json(__version__)

    head = get  # monitors ask for no body


class HealthHandler(JSONHandler):
    """Liveness: 200 as long as the process answers, whatever the state of the database and the issuers."""

    def get(self) -> None:
        self.answer_json({"status": "UP"})

    head = get


class ReadyHandler(JSONHandler):
    """Readiness: 200 if the database answers, an issuer is served and no stop is under way; otherwise 503."""

    async def get(self) -> None:
        context = self.context
        answer = await context.readiness.check(
            context.kms, self.auth, is_stopping=context.is_stopping
        )
        self.answer_json(answer, 503 if answer["state"] == "DOWN" else 200)

    head = get


class WhoAmIHandler(ProtectedHandler, JSONHandler):
    """Who the caller is to this server, and what they may do here. Of the claims, only the scopes are shown."""

    def get(self) -> None:
        principal, kms = self.current_user, self.context.kms
        try:
            may_create = kms.service.may_create_objects(principal)
            is_auditor = kms.record_reader.may_read_all(principal.name)
            if kms.auditor is not None:
                with kms.auditor.recording(self.origin, "WhoAmI"):
                    pass
        except Unavailable as exc:
            refuse(self, exc)
            return
        self.answer_json(
            {
                "name": principal.name,
                "subject": principal.subject or None,
                "groups": sorted(principal.groups),
                # With --insecure-no-auth there is neither an issuer nor an expiry.
                "issuer": principal.issuer or None,
                "expires_at": int(principal.expires_at) if principal.issuer else None,
                "scopes": principal.scopes,
                "may_create_objects": may_create,
                "may_read_whole_audit": is_auditor,
            }
        )


class MetadataHandler(JSONHandler):
    """Where to get a token for this server (RFC 9728 §2)."""

    def get(self) -> None:
        context = self.context
        public_url, request = context.public_url, self.request
        document = describe_resource(
            self.auth,
            context.make_resource_url(request),
            has_certificates=context.asks_certificates or bool(context.trusted_proxies),
            takes_proofs=public_url.find_base(request) == public_url.find_proven_base(request),
        )
        self.answer_json({**document, "resource_name": "kms_tornado"})

    head = get


class OpenAPIHandler(ServiceHandler):
    """The OpenAPI document of this server. Tornado answers 304 where the client has it already."""

    _document: APIDocument | None = None

    def get(self) -> None:
        context, auth = self.context, self.auth
        try:
            operations = tuple(context.kms.service.operations)
        except Unavailable as exc:
            self.send_answer(render_unavailable(exc))
            return
        self._document = render_document(
            context.routes,
            context.prefix,
            () if auth is None else tuple(auth.issuers),
            operations,
            # Without credentials to check there are no statistics of it.
            needs_token=auth is None or auth.statistics() is not None,
        )
        self.set_header("Content-Type", JSON)
        # It may be kept, but has to be asked for each time.
        self.set_header("Cache-Control", "no-cache")
        self.finish(self._document.body)

    head = get

    def compute_etag(self) -> str | None:
        return None if self._document is None else self._document.etag


class MetricsHandler(ServiceHandler):
    """The metrics as Prometheus text. The route exists only with --metrics."""

    async def get(self) -> None:
        metrics, worker_metrics = self.context.metrics, self.context.worker_metrics
        assert metrics is not None
        text = await (metrics if worker_metrics is None else worker_metrics).scrape()
        self.set_header("Content-Type", metrics.content_type)
        self.finish(text)

    head = get
