"""Connections of KMIP over TLS: pieces, messages ahead, halves, frames, limits, records, the end of the server."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.kmip_server.context import OUTCOMES

from ..audit_rows import find_records
from ..issuer import Issuer
from ..kmip_items import name, number, octets, structure
from ..server import ROOT, ServerProcess, check_refused, eventually, frozen, run, trusting
from .client import (
    CREATE,
    DISCOVER,
    QUERY,
    VERSIONS,
    Connection,
    Site,
    ask,
    decode,
    get,
    serving_kmip,
)

RNG = structure(
    "BatchItem",
    name("Operation", "RNGRetrieve"),
    structure("RequestPayload", number("DataLength", 65536)),
)


@pytest.fixture
def alice(site: Site, server: ServerProcess):
    with Connection(server.kmip_port, site.trust(site.alice)) as connection:
        yield connection


def test_message_may_come_byte_by_byte(alice: Connection) -> None:
    for byte in ask(DISCOVER):
        alice.send(bytes([byte]))
    [item] = alice.receive()
    assert item["ResultStatus"] == "Success"


def test_messages_sent_ahead_are_answered_in_their_order(alice: Connection) -> None:
    identifiers = [f"{place:04d}".encode() for place in range(50)]
    alice.send(
        b"".join(
            ask(structure("BatchItem", *DISCOVER["value"][:1], octets("UniqueBatchItemID", one),
                          *DISCOVER["value"][1:]))
            for one in identifiers
        )
    )  # fmt: skip
    answered = [alice.receive()[0].octets("UniqueBatchItemID") for _ in identifiers]
    assert answered == identifiers


def test_long_message_and_long_answer_pass(alice: Connection) -> None:
    answers = alice.do(*[RNG] * 40)
    assert [item["ResultStatus"] for item in answers] == ["Success"] * 40
    assert len({item["ResponsePayload", "Data"] for item in answers}) == 40
    data = bytes(5_000_000)
    long = structure(
        "BatchItem",
        name("Operation", "Hash"),
        structure(
            "RequestPayload",
            structure("CryptographicParameters", name("HashingAlgorithm", "SHA256")),
            octets("Data", data),
        ),
    )
    [item] = alice.do(long)
    assert item.octets("ResponsePayload", "Data") == hashlib.sha256(data).digest()


def test_first_item_that_fails_stops_the_others_unless_the_header_says_otherwise(
    alice: Connection,
) -> None:
    """As every version of the specification has it; over HTTP, published clients expect the rest."""
    items = (QUERY, get("there is none"), CREATE)
    assert [item["ResultStatus"] for item in alice.do(*items)] == ["Success", "OperationFailed"]
    going_on = name("BatchErrorContinuationOption", "Continue")
    results = [item["ResultStatus"] for item in alice.do(*items, header=[going_on])]
    assert results == ["Success", "OperationFailed", "Success"]


@pytest.mark.parametrize("says_goodbye", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
def test_client_that_closes_its_sending_side_reads_its_answers(
    site: Site, server: ServerProcess, version, says_goodbye: bool
) -> None:
    with Connection(server.kmip_port, site.trust(site.alice, version)) as alice:
        # OpenSSL says goodbye, and then looks for the server's goodbye: an answer in its place would be lost.
        with frozen([server.process.pid]):
            alice.send(ask(CREATE) + ask(DISCOVER))
            if says_goodbye:
                alice.socket.settimeout(0)
                with pytest.raises(OSError):
                    alice.socket.unwrap()  # sends close_notify, and would wait for the server's
                alice.socket.settimeout(20)
            else:
                socket.socket.shutdown(alice.socket, socket.SHUT_WR)
        assert alice.receive()[0]["ResultStatus"] == "Success"
        assert alice.receive()[0]["ResultStatus"] == "Success"


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP"),
        pytest.param(struct.pack(">II", 0x42007B01, 16) + bytes(16), id="an answer"),
        pytest.param(struct.pack(">II", 0x42007802, 16) + bytes(16), id="no structure"),
        pytest.param(struct.pack(">II", 0x42007801, 15) + bytes(16), id="an impossible length"),
        pytest.param(bytes(64), id="zeros"),
    ],
)
def test_what_is_no_message_is_not_answered_and_ends_the_connection(
    alice: Connection, start: bytes
) -> None:
    alice.send(start)
    assert alice.is_closed()


def test_message_that_is_too_long_is_answered_in_its_version_before_it_is_read(
    alice: Connection,
) -> None:
    whole = ask(CREATE, header=[structure("ProtocolVersion", number("ProtocolVersionMajor", 2),
                                          number("ProtocolVersionMinor", 0))])  # fmt: skip
    alice.send(whole[:4] + struct.pack(">I", 2**32 - 8) + whole[8:])
    answer = alice.receive_octets()
    assert bytes.fromhex("42006b0200000004 00000000") in answer  # minor version 0
    [item] = decode(answer)
    assert item["ResultReason"] == "ServerLimitExceeded"
    assert "--max-body-size" in item["ResultMessage"]
    assert alice.is_closed()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing in it"),
        pytest.param(bytes(8), id="no tag in it"),
        pytest.param(struct.pack(">II", 0x42007701, 2**31 - 8), id="a header that lies"),
        pytest.param(struct.pack(">II", 0x42007701, 0), id="an empty header"),
        pytest.param(struct.pack(">II", 0x42000C01, 0) * 40, id="Authentication alone"),
        pytest.param(struct.pack(">II", 0x42007701, 8) + struct.pack(">II", 0x42000C01, 2**31),
                     id="Authentication that lies"),
        pytest.param(b"".join(struct.pack(">II", 0x42007701, 8 * (200 - n)) for n in range(200)),
                     id="depth"),
        pytest.param(struct.pack(">II", 0x42000F01, 0) * 1_000, id="items and no header"),
        pytest.param(struct.pack(">II", 0x42007701, 0) + struct.pack(">II", 0x42000F01, 0) * 100_000,
                     id="100,000 items"),
    ],
)  # fmt: skip
def test_what_is_wrong_inside_of_a_message_is_answered_and_the_connection_stays(
    alice: Connection, body: bytes
) -> None:
    alice.send(struct.pack(">II", 0x42007801, len(body)) + body)
    [item] = alice.receive()
    assert item["ResultStatus"] == "OperationFailed"
    assert item["ResultReason"] in {"InvalidMessage", "InvalidField"}
    assert alice.create()


def test_messages_are_in_the_log_in_the_metrics_and_in_the_audit(
    site: Site, server: ServerProcess, issuer: Issuer, alice: Connection
) -> None:
    key = alice.create()
    serial = f"{site.alice.parsed.serial_number:x}"
    line = server.wait_for_line(f"operation=Create uid={key}")
    assert re.search(r"KMIP 2\.1 127\.0\.0\.1 [\d.]+ms user=cert:alice operation=Create", line)
    assert re.search(r"request_id=[0-9a-f]{16}", line)
    assert serial not in line  # it is a field of JSON lines
    metrics = server.client.get("/metrics").text
    assert 'kms_kmip_messages_total{outcome="answered"}' in metrics
    assert 'kms_kmip_connections{state="quiet"} 1.0' in metrics
    assert set(re.findall(r'messages_total\{outcome="(\w+)"', metrics)) <= set(OUTCOMES)
    record = eventually(lambda: find_record(server, key))
    assert record["protocol"] == "kmip"
    assert record["principal"] == "cert:alice"
    assert record["issuer"] == "CN=Test CA"
    assert record["remote_ip"] == "127.0.0.1"
    assert record["request_id"] == line.partition("request_id=")[2][:16]


def test_page_has_a_row_for_each_metric_and_none_for_another(
    server: ServerProcess, alice: Connection
) -> None:
    assert alice.create()
    text = server.client.get("/metrics").text
    served = set(re.findall(r"^# TYPE (kms_kmip_\w+) ", text, re.M))
    page = (ROOT / "docs/kmip-port.md").read_text()
    rows = re.findall(r"^\| (`kms_kmip_.*?) \|", page, re.M)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(served)


def test_user_with_too_many_messages_a_second_is_told_and_nobody_else(
    site: Site, issuer: Issuer
) -> None:
    with (
        serving_kmip(site, *trusting(issuer), "--user-rate", "5") as server,
        Connection(server.kmip_port, site.trust(site.alice)) as alice,
        Connection(server.kmip_port, site.trust(site.bob)) as bob,
    ):
        reasons = [alice.do(QUERY)[0].get("ResultReason") for _ in range(12)]
        assert "ServerLimitExceeded" in reasons
        assert reasons[0] is None
        assert bob.do(QUERY)[0]["ResultStatus"] == "Success"


def test_user_with_too_many_connections_gets_no_more_and_others_do(
    site: Site, issuer: Issuer
) -> None:
    constants = {"kmip_server.connection.MOST_OF_USER": 3}
    with serving_kmip(site, *trusting(issuer), constants=constants) as server:
        context = site.trust(site.alice)
        held = [Connection(server.kmip_port, context) for _ in range(3)]
        for one in held:
            assert one.create()
        with Connection(server.kmip_port, context) as one_more, pytest.raises(OSError):
            one_more.do(QUERY)
        server.wait_for_line("cert:alice has 3 connections open")
        with Connection(server.kmip_port, site.trust(site.bob)) as bob:
            assert bob.create()
        held.pop().__exit__()
        for _ in range(100):
            try:
                with Connection(server.kmip_port, context) as again:
                    assert again.create()
                break
            except OSError:
                continue
        else:
            raise AssertionError("the place was not given back")
        for one in held:
            one.__exit__()


def test_server_that_stops_answers_what_it_was_asked_and_closes(site: Site, issuer: Issuer) -> None:
    with (
        serving_kmip(site, *trusting(issuer)) as server,
        Connection(server.kmip_port, site.trust(site.alice)) as busy,
        Connection(server.kmip_port, site.trust(site.bob)) as idle,
    ):
        assert idle.create()
        whole = ask(*[CREATE] * 50)
        busy.send(whole[:1000])
        server.wait_for_line("KMIP")
        busy.send(whole[1000:])
        server.send(signal.SIGTERM)
        assert [item["ResultStatus"] for item in busy.receive()] == ["Success"] * 50
        assert busy.is_closed()
        assert idle.is_closed()


def test_workers_share_the_port(site: Site, issuer: Issuer) -> None:
    with serving_kmip(site, *trusting(issuer), "--workers", "2") as server:
        keys = []
        for _ in range(6):
            with Connection(server.kmip_port, site.trust(site.alice)) as alice:
                keys.append(alice.create())
        with Connection(server.kmip_port, site.trust(site.alice)) as alice:
            for key in keys:
                assert alice.do(get(key))[0]["ResultStatus"] == "Success"


def test_port_of_ipv6_and_port_in_use(site: Site, issuer: Issuer) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6")
    with serving_kmip(site, *trusting(issuer), "--kmip-hostname", "::1") as server:
        line = server.wait_for_line("KMIP over TLS is at")
        assert f"[::1]:{server.kmip_port}" in line
        with (
            socket.create_connection(("::1", server.kmip_port), timeout=20) as plain,
            site.trust(site.alice).wrap_socket(plain, server_hostname="localhost") as alice,
        ):
            alice.sendall(ask(CREATE))
            assert alice.recv(4) == bytes.fromhex("42007b01")
        options = (*site.options, *trusting(issuer), "--kmip-hostname", "::1")
        taken = ("--port", "0", "--kmip-port", str(server.kmip_port))
        finished = run(*options[2:], *taken, cwd=site.directory)
        assert "cannot listen on ::1, port" in check_refused(finished, 1)


def find_record(server: ServerProcess, uid: str) -> dict[str, Any] | None:
    """What the audit says of an object, once it is on disk."""
    return next(iter(find_records(server.data_dir / "kms.db", uid=uid)), None)
