"""ProtectedHandler: the base class of the handlers that need a bearer token."""

from __future__ import annotations

from ...audit.record import Origin
from ...auth.bound.client_cert_header import CLIENT_CERT_HEADER, read_client_cert
from ...auth.principal import Principal
from ...auth.request_auth import RequestAuth
from ...errors import AuthenticationError, CertificateMissing
from ...service.load.bytes_in_flight import HeldBytes, TooManyBytes
from ..answers import Answer
from ..bearer.hook_caller import HookCaller
from ..bearer.mixin import BearerAuthMixin
from ..bearer.refusals import refuse
from ..body_length import parse_content_length
from .service_handler import ServiceHandler


class ProtectedHandler(BearerAuthMixin, ServiceHandler):
    """A ServiceHandler that needs a bearer token.

    _held: the bytes that its request holds, from the moment when it is accepted.
    _grows: whether these are counted chunk by chunk.
    """

    _held: HeldBytes | None = None
    _grows = False
    _origin: Origin | None = None

    @property
    def origin(self) -> Origin:
        """The origin of this request, under which it is recorded; with the principal, once a token was accepted."""
        if self._origin is None:
            self._origin = Origin(None, None, self.request.remote_ip, self.request_id)
        principal = self._principal
        if principal is not None:
            self._origin.principal, self._origin.issuer = principal.name, principal.issuer or None
        return self._origin

    def on_finish(self) -> None:
        """Record the request, however it ended."""
        super().on_finish()
        auditor = self.context.kms.auditor
        if auditor is not None and not self.origin.is_noted:
            auditor.note_refusal(
                self.origin, self.log_entry.get("reason") or f"HTTP {self.get_status()}"
            )

    @property
    def bearer_auth(self) -> RequestAuth | None:
        return self.auth

    def _accept(self, principal: Principal) -> None:
        """Admit the request before its body is read. Raises TooManyRequests and TooManyBytes."""
        super()._accept(principal)
        if self._will_not_run:  # the request would never leave
            return
        self.context.admission.enter(self, principal.name)
        length = parse_content_length(self.request.headers)
        self._grows = length is None
        # A longer one is answered 413.
        size = length if length is not None and self.takes_body and length <= self._limit else 0
        self._held = self.context.bytes_in_flight.enter(self, principal.name, size)

    @property
    def _sender(self) -> str:
        return super()._sender if self._principal is None else self._principal.name

    def _keep(self, chunk: bytes) -> None:
        held = self._held
        if held is not None and self._grows:
            try:
                held.add_body(len(chunk))
            except TooManyBytes as exc:
                self._chunks.clear()
                refuse(self, exc)
                return
        super()._keep(chunk)

    def send_answer(self, answer: Answer) -> None:
        if self._held is not None:
            self._held.keep_answer(len(answer.body))
        super().send_answer(answer)

    def _check_admission(self, user: str) -> None:
        self.context.admission.check(user)

    def resource_metadata_url(self) -> str | None:
        return self.context.make_metadata_url(self.request)

    def request_url(self) -> str | None:
        return self.context.public_url.find_proven_base(self.request) + self.request.path

    def client_certificate(self) -> bytes | None:
        """The client's certificate. A trusted proxy's own one is not the client's, which only its header contains.

        Raises CertificateMissing for a header that the proxy writes in another form, with what it should be.
        """
        if not self.context.trusted_proxies.is_peer_of(self.request.connection):
            return super().client_certificate()
        values = self.request.headers.get_list(CLIENT_CERT_HEADER)
        certificate = read_client_cert(values)
        if certificate is None and values:
            raise CertificateMissing(
                f"the proxy's {CLIENT_CERT_HEADER} is not one certificate in DER and base64 between colons (RFC 9440)"
            )
        return certificate

    def _send_refusal(
        self, body: bytes, hooks: HookCaller, reason: str, cause: BaseException | None
    ) -> None:
        self.log_entry["reason"] = reason
        if isinstance(cause, AuthenticationError) and cause.user:
            self.origin.principal, self.origin.issuer = cause.user, cause.issuer or None
        # No host has overridden it, and it knows what to do with the request's body.
        self.finish(body)

    def compute_etag(self) -> None:
        """None: an ETag is of no use for an answer that no cache may store."""
