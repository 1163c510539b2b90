"""Networks in CIDR form, and the addresses in them.

An IPv4 address that is mapped into IPv6 (``::ffff:192.0.2.1``) counts as the IPv4 address: a socket for both kinds of
connections names IPv4 peers in this way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

from .errors import ConfigurationError
from .wording import quote

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")


def parse_address(text: str) -> Address | None:
    """The address, without the zone of a link-local one (``%eth0``); None where the text is not an address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def share_address(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Whether two (host, port) cannot both be listened on, as far as their texts tell; port 0 is a free one."""
    if one[1] != other[1] or one[1] == 0:
        return False
    addresses = [_list_addresses(host) for host, _ in (one, other)]
    return (
        any(
            a == b or (a.version == b.version and (a.is_unspecified or b.is_unspecified))
            for a in addresses[0]
            for b in addresses[1]
        )
        or one[0].lower() == other[0].lower()
    )


def _list_addresses(host: str) -> list[Address]:
    """Those of the host that no resolver is needed for."""
    if host.lower() == "localhost":
        return [IPv4Address("127.0.0.1"), IPv6Address("::1")]
    try:
        return [ip_address(host)]
    except ValueError:
        return []


def parse_network(text: str) -> Network:
    """``10.0.0.0/8``, ``fd00::/8``, or an address alone. Raises ConfigurationError."""
    text = text.strip()
    host, slash, length = text.partition("/")
    try:
        if "%" in host or (slash and not re.fullmatch("[0-9]{1,3}", length)):
            raise ValueError("a zone, or a mask that is no length")
        network = ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(
            f"{quote(text)} is no network: write one as 10.0.0.0/8 or fd00::/8, or an address alone"
        ) from None
    if ip_address(host) != network.network_address:
        # Whether the network or the address is meant decides who is trusted.
        raise ConfigurationError(
            f"{quote(text)} is an address in a network: write {network} for all of the network, "
            f"or {host} for the address alone"
        )
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        first = network.network_address.ipv4_mapped
        return IPv4Network(f"{first}/{network.prefixlen - _MAPPED.prefixlen}")
    return network


def parse_networks(texts: Iterable[str], field: str) -> tuple[Network, ...]:
    """The networks in an application's argument. Raises ConfigurationError about the field."""
    if isinstance(texts, str):
        texts = (texts,)
    try:
        return tuple(map(parse_network, texts))
    except ConfigurationError as exc:
        raise ConfigurationError(exc.text, field) from None


def find_everyone(networks: Iterable[Network]) -> Network | None:
    """``0.0.0.0/0`` or ``::/0`` where the networks together contain all addresses of that kind; else None."""
    networks = tuple(networks)
    collapsed: list[Network] = [
        *collapse_addresses(n for n in networks if isinstance(n, IPv4Network)),
        *collapse_addresses(n for n in networks if isinstance(n, IPv6Network)),
    ]
    return next((network for network in collapsed if network.prefixlen == 0), None)


def parse_forwarded_address(text: str) -> Address | None:
    """An address as proxies write it: alone, in brackets, or with a port. None for anything else."""
    text = text.strip()
    match = re.fullmatch(
        r"([0-9.]{7,15})(?::[0-9]{1,5})?|\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9A-Fa-f:.]{2,45})",
        text,
        re.ASCII,
    )
    return parse_address(match[1] or match[2] or match[3]) if match else None
