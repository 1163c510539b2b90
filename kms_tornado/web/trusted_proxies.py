"""TrustedProxies: the proxies that are believed about where a request comes from (--trusted-proxies).

Anybody can send ``X-Forwarded-For``. Only a proxy in a configured network is believed, and only those parts of the list
that such proxies added: each of them appends the address from which the request came to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tornado.httputil import HTTPHeaders

from ..networks import Address, Network, parse_address, parse_forwarded_address

_MOST_PROXIES = 32  # in a row; a list of 64 KiB would take milliseconds
_MOST_REMEMBERED = 1024
_PROTOCOLS = ("http", "https")


class TrustedProxies:
    """The networks of the proxies. It is false where there are none; then nobody is believed."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)
        self._remembered: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def is_trusted(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy. address: as a socket names its peer."""
        if not self._networks:
            return False
        trusted = self._remembered.get(address)
        if trusted is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            trusted = self._remembered[address] = self._contains(parse_address(address))
        return trusted

    def is_peer_of(self, connection: Any) -> bool:
        """Whether a trusted proxy made the connection, an `HTTP1Connection`."""
        return bool(self._networks) and self.is_trusted(connection.context._orig_remote_ip)

    def find_client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The address from which a request comes: the rightmost one that is not a trusted proxy's.

        peer: of the connection. forwarded_for: the values of ``X-Forwarded-For``, in the order received.
        Everything left of a text that is not an address is ignored. If all are trusted proxies, the leftmost is the
        client.
        """
        client = _format(parse_address(peer)) or peer
        if not self.is_trusted(peer):
            return client
        for entry in reversed(",".join(forwarded_for).rsplit(",", _MOST_PROXIES)[-_MOST_PROXIES:]):
            address = parse_forwarded_address(entry)
            if address is None:
                break
            client = str(address)
            if not self._contains(address):
                break
        return client

    def apply(self, context: Any, headers: HTTPHeaders) -> bool:
        """Set the address and the protocol of a connection's current request; whether the peer is trusted.

        context: of an `HTTP1Connection`, from which Tornado makes the request's ``remote_ip`` and ``protocol``. They
        hold for one request, because the next one on the connection may be another client's.
        """
        peer: str = context._orig_remote_ip
        forget_client(context)
        if not self.is_trusted(peer):
            return False
        context.remote_ip = self.find_client(peer, headers.get_list("X-Forwarded-For"))
        protocol = headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        if protocol in _PROTOCOLS:
            context.protocol = protocol
        return True

    def _contains(self, address: Address | None) -> bool:
        return address is not None and any(
            address.version == network.version and address in network for network in self._networks
        )


def forget_client(context: Any) -> None:
    """Restore the connection's own address and protocol for its next request."""
    context.remote_ip, context.protocol = context._orig_remote_ip, context._orig_protocol


def _format(address: Address | None) -> str:
    return "" if address is None else str(address)
