"""Credentials: what a request offers as proof of who sends it, as one unverified value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class HTTPRequestFacts(Protocol):
    """What a bound token is compared with. A transport finds these facts only for a token that is bound (`binding`)."""

    def find_method(self) -> str:
        """The HTTP method as it was sent."""

    def find_url(self) -> str | None:
        """The URL that the client asked for, in any spelling; None where it is not known."""

    def list_proofs(self) -> Sequence[str]:
        """The values of the ``DPoP`` header fields, in the order received."""

    def find_certificate(self) -> bytes | None:
        """The client's certificate in DER; None without one."""

    def check_admission(self, user: str) -> None:
        """Refuse the request if its user has too many under way, before its proof is used up.

        Raises TooManyRequests.
        """


# One is made for every request. Not frozen: a frozen dataclass takes 0.9 µs to make, this one 0.2.
@dataclass(slots=True)
class Credentials:
    """What a transport found in a request; none of it is trusted yet.

    A transport fills in what it has. Whoever checks credentials looks at the kinds that it knows and ignores the
    others, so that a new kind of credential changes no signature in between.

    authorization: the values of the ``Authorization`` header fields, in the order received.
    headers: all header fields of an HTTP request, found by name in any case; None over another transport.
    peer_certificate: the client's certificate of the TLS connection, in DER; None without one.
    kmip_credential: the Credential in the header of a KMIP request, as ``{field name: value}``; None without one.
    facts: what is known of an HTTP request; None over another transport.
    next_nonce: the nonce to return to the client (RFC 9449 §8.2), set by whoever checks a DPoP proof; empty where
    none is needed.
    """

    authorization: Sequence[str] = ()
    headers: Mapping[str, str] | None = None
    peer_certificate: bytes | None = None
    kmip_credential: Mapping[str, Any] | None = None
    facts: HTTPRequestFacts | None = None
    next_nonce: str = ""

    def find_certificate(self) -> bytes | None:
        """The client's certificate in DER, whatever the transport; None without one."""
        if self.peer_certificate is not None or self.facts is None:
            return self.peer_certificate
        return self.facts.find_certificate()
