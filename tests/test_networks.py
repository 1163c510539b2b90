"""Networks in CIDR form, and the addresses that proxies write."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.networks import (
    find_everyone,
    parse_address,
    parse_forwarded_address,
    parse_network,
    parse_networks,
    share_address,
)

from .rows import each_row


@each_row(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("fd00::/8", "fd00::/8"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_network_is_a_prefix_or_one_address(text, network):
    assert parse_network(text) == ip_network(network)


@each_row(
    "text",
    [
        "", "proxy.example", "10", "10.0.0.0/33", "fd00::/129", "10.0.0.0/8/8", "10.0.0.0/", "/8", "010.0.0.1",
        "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/-1", "10.0.0.0/+8", "fe80::%eth0/64", "[::1]",
        "fe80::1%eth0", "10.0.0.0-10.0.0.9", "10.0.0.*", "10.0.0.1 10.0.0.2", "１0.0.0.0/8",
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused_in_one_line(text):
    with pytest.raises(ConfigurationError, match="is no network: write one as ") as caught:
        parse_network(text)
    assert str(caught.value).isprintable()


def test_address_with_bits_behind_the_prefix_is_refused_and_both_meanings_are_named():
    with pytest.raises(ConfigurationError) as caught:
        parse_network("10.1.2.3/8")
    assert str(caught.value) == (
        "'10.1.2.3/8' is an address in a network: write 10.0.0.0/8 for all of the network, "
        "or 10.1.2.3 for the address alone"
    )


def test_argument_of_an_application_is_a_list_or_one_text():
    assert parse_networks(["10.0.0.0/8", "::1"], "x") == parse_networks(
        ("10.0.0.0/8", "::1/128"), "x"
    )
    assert parse_networks("::1", "x") == (ip_network("::1/128"),)
    with pytest.raises(ConfigurationError) as caught:
        parse_networks(["::1", "nonsense"], "trusted_proxies")
    assert str(caught.value).startswith("trusted_proxies: 'nonsense' is no network")


@each_row(
    ("texts", "everyone"),
    [
        ((), None),
        (("10.0.0.0/8", "fd00::/8"), None),
        (("0.0.0.0/1",), None),
        (("0.0.0.0/0",), "0.0.0.0/0"),
        (("10.0.0.0/8", "::/0"), "::/0"),
        (("0.0.0.0/1", "128.0.0.0/1"), "0.0.0.0/0"),
        (("::ffff:0:0/96",), "0.0.0.0/0"),
    ],
)
def test_networks_that_are_all_addresses_together_are_found(texts, everyone):
    found = find_everyone(map(parse_network, texts))
    assert found == (None if everyone is None else ip_network(everyone))


@each_row(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        ("/run/kms.sock", None),
        ("", None),
    ],
)
def test_peer_of_a_socket_is_an_address(text, address):
    assert str(parse_address(text)) == str(address)


@each_row(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7\t", "192.0.2.7"),
        ("192.0.2.7:49152", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:49152", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("client.example", None),
        ("192.0.2.7:x", None),
        ("192.0.2.300", None),
        ("fe80::1%<script>", None),
        ("192.0.2.7 evil", None),
        ("192.0.2.7\n", "192.0.2.7"),
        ('"192.0.2.7"', None),
        ("[192.0.2.7", None),
        ("1" * 60_000, None),
        ("٣.0.0.1", None),
    ],
)
def test_forwarded_address_is_an_address_with_or_without_a_port_and_nothing_else(text, address):
    assert str(parse_forwarded_address(text)) == str(address)


@each_row(
    ("one", "other", "expected"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 1), True),
        (("127.0.0.1", 1), ("127.0.0.1", 2), False),
        (("127.0.0.1", 0), ("127.0.0.1", 0), False),  # each gets a free port
        (("127.0.0.1", 1), ("127.0.0.2", 1), False),
        (("127.0.0.1", 1), ("0.0.0.0", 1), True),
        (("::", 1), ("fd00::1", 1), True),
        (("::", 1), ("127.0.0.1", 1), False),  # listens for IPv6 alone
        (("::1", 1), ("0:0::1", 1), True),
        (("localhost", 1), ("::1", 1), True),
        (("localhost", 1), ("0.0.0.0", 1), True),
        (("kms.example", 1), ("KMS.example", 1), True),
        (("kms.example", 1), ("127.0.0.1", 1), False),  # unless a resolver says so
    ],
)
def test_two_listeners_share_an_address(one, other, expected):
    assert share_address(one, other) is share_address(other, one) is expected
