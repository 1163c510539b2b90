"""Who sends a message: the user of the client certificate, that of the token in the message's Credential, or both."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ..auth.bearer import is_compact
from ..auth.certificates import CertificatePolicy, InvalidCertificate, read_principal
from ..auth.credentials import Credentials
from ..auth.principal import Principal
from ..auth.request_auth import RequestAuth
from ..errors import AuthenticationError, ProofMissing
from ..kmip.ttlv import Node, children_of
from ..user_names import CERTIFICATE_PREFIX

#: How many certificates are remembered, of some 1 KiB each.
_REMEMBERED = 1024

_USERNAME_AND_PASSWORD = 1  # Credential Type, KMIP 2.1 §11.11


@dataclass(slots=True)
class Peer:
    """Who is at the other end of a connection, as far as its handshake told.

    remote_ip: the client's address, for log and audit.
    certificate: the client's, in DER, which TLS has verified; None without one.
    holder: the principal whom the certificate names; None without one, or where it names nobody.
    fault: why the certificate names nobody.
    """

    remote_ip: str
    certificate: bytes | None = None
    holder: Principal | None = None
    fault: InvalidCertificate | None = None


class InvalidCredential(AuthenticationError):
    """The Credential of a message is not of an accepted kind, or names another user than the certificate."""

    reason = "credential"
    description = "Credential not accepted"


class MissingCredential(AuthenticationError):
    reason = "missing"
    description = (
        "a client certificate is needed, or a Credential of type Username and Password with a token as its "
        "Password"
    )


class Callers:
    """Finds out who sends a message. auth: checks tokens. policy: how certificates name their users."""

    def __init__(self, auth: RequestAuth, policy: CertificatePolicy) -> None:
        self._auth = auth
        # Most clients have a connection for each message: to read a certificate takes as long as half a message.
        self._read = functools.lru_cache(_REMEMBERED)(
            functools.partial(read_principal, policy=policy)
        )

    def read_certificate(self, certificate: bytes) -> Principal:
        """The principal whom a certificate names. It is in DER, and TLS has verified it. Raises InvalidCertificate."""
        return self._read(certificate)

    async def authenticate(self, peer: Peer, authentication: Node | None, now: float) -> Principal:
        """The sender of a message. The certificate or the token may have expired since the last message.

        authentication: the field in the message's header.
        now: seconds since the Unix epoch.
        Raises AuthenticationError, and Unavailable where the keys of the token's issuer are out of reach.
        """
        holder = peer.holder
        if holder is not None and now >= holder.expires_at:
            raise InvalidCertificate("notAfter has passed", "the client certificate has expired")
        if authentication is None:
            if holder is None:
                raise MissingCredential
            return holder
        username, password = _read_credential(authentication)
        user = await self._check_token(password, peer.certificate)
        bare_name = user.name.removeprefix(f"{user.issuer}#")
        if username not in ("", user.name, bare_name):
            raise InvalidCredential("", "the Credential's Username is not the user of its token")
        if holder is not None and holder.name.removeprefix(CERTIFICATE_PREFIX) != bare_name:
            raise InvalidCredential(
                f"certificate of {holder.name!r}, token of {user.name!r}",
                "the client certificate and the token name different users",
            )
        return user

    async def _check_token(self, password: str, certificate: bytes | None) -> Principal:
        if not self._auth.issuers:
            raise InvalidCredential("", "this server takes no tokens: send no Credential")
        if not is_compact(password):  # it is somebody's password, and not to be told to anybody
            raise InvalidCredential("", "the Credential's Password is no token (a JWT)")
        credentials = Credentials((f"Bearer {password}",), peer_certificate=certificate)
        try:
            principal = self._auth.check_now(credentials)
            return principal or await self._auth.check_waiting(credentials)
        except ProofMissing as exc:
            raise ProofMissing(
                exc.detail, "the token is bound to a DPoP key, and KMIP has no place for a proof"
            ) from None


def _read_credential(authentication: Node) -> tuple[str, str]:
    """(Username, Password) of the only Credential. Raises InvalidCredential."""
    credentials = _children(authentication, "Credential")
    if len(credentials) != 1:
        raise InvalidCredential("", "an Authentication has one Credential here")
    [credential] = credentials
    types = [child.value for child in _children(credential, "CredentialType")]
    values = _children(credential, "CredentialValue")
    if types != [_USERNAME_AND_PASSWORD] or len(values) != 1:
        raise InvalidCredential("", "only a Credential of type Username and Password is taken here")
    return _read_text(values[0], "Username"), _read_text(values[0], "Password")


def _read_text(value: Node, tag: str) -> str:
    """The text of the only field with that name; empty where there is none."""
    texts = [child.value for child in _children(value, tag)]
    if len(texts) > 1 or not all(isinstance(text, str) for text in texts):
        raise InvalidCredential("", f"a CredentialValue has one {tag}, a TextString")
    return str(texts[0]) if texts else ""


def _children(node: Node, tag: str) -> list[Node]:
    if not isinstance(node.value, tuple):
        raise InvalidCredential("", f"{node.tag} is no Structure")
    return [child for child in children_of(node) if child.tag == tag]
