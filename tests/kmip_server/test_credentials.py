"""A token as the Password of a Credential: with a certificate of the same user, or in its place where that is allowed."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kms_tornado.auth.tokens.binding import encode_digest

from ..audit_rows import find_records
from ..issuer import Issuer
from ..kmip_items import Item, batch_item, message, name, structure, text, version
from ..proofs import thumbprint
from ..server import ServerProcess, eventually, trusting
from ..ttlv import in_binary
from .authority import Certificate
from .client import CREATE, QUERY, Connection, Site, ask, get, serving_kmip


@pytest.fixture(scope="module")
def optional(site: Site, issuer: Issuer) -> Iterator[ServerProcess]:
    with serving_kmip(
        site, *trusting(issuer), "--kmip-client-certificate", "optional", "--jwt-leeway", "0"
    ) as running:
        yield running


def credential(password: str | None, username: str | None = "") -> Item:
    values = [] if username is None else [text("Username", username)]
    values += [] if password is None else [text("Password", password)]
    return structure(
        "Authentication",
        structure(
            "Credential",
            name("CredentialType", "UsernameAndPassword"),
            structure("CredentialValue", *values),
        ),
    )


def refusal(connection: Connection, *header: Item) -> str:
    [item] = connection.do(CREATE, header=header)
    assert item["ResultStatus"] == "OperationFailed"
    assert item["ResultReason"] == "AuthenticationNotSuccessful"
    return str(item["ResultMessage"])


@pytest.mark.parametrize("username", ["", None, "alice"])
def test_token_makes_the_sender_its_user(
    site: Site, server: ServerProcess, issuer: Issuer, username: str | None
) -> None:
    token = issuer.token(sub="alice", aud="kms")
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        [item] = alice.do(CREATE, header=[credential(token, username)])
        key = item["ResponsePayload", "UniqueIdentifier"]
        assert server.client.get_key(token, key).status == 200
        assert alice.reason(get(key)) == "ObjectNotFound"  # cert:alice is somebody else


@pytest.mark.parametrize(
    ("sub", "username", "words"),
    [
        pytest.param("bob", "", "name different users", id="a token of somebody else"),
        pytest.param("alice", "bob", "Username is not the user of its token", id="another name"),
    ],
)
def test_certificate_and_token_have_to_agree(
    site: Site, server: ServerProcess, issuer: Issuer, sub: str, username: str, words: str
) -> None:
    token = issuer.token(sub=sub, aud="kms")
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert words in refusal(alice, credential(token, username))
        assert alice.create()  # the connection stays, and the certificate alone counts again


DEVICE = structure(
    "Authentication",
    structure("Credential", name("CredentialType", "Device"), structure("CredentialValue")),
)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        pytest.param(credential("correct horse"), "Password is no token", id="a password"),
        pytest.param(credential(None), "Password is no token", id="no password"),
        pytest.param(credential("a.b.c"), "token malformed", id="no token"),
        pytest.param(structure("Authentication"), "has one Credential", id="no credential"),
        pytest.param(DEVICE, "only a Credential of type Username and Password", id="a device"),
    ],
)
def test_other_credentials_are_refused_and_never_logged(
    site: Site, server: ServerProcess, header: Item, words: str
) -> None:
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert words in refusal(alice, header)
    assert "correct horse" not in server.log


def hide_behind_items(authentication: Item) -> Item:
    whole = message(CREATE, header=[authentication])
    return structure("RequestMessage", *reversed(whole["value"]))


def hide_in_long_header(authentication: Item) -> Item:
    return message(CREATE, header=[text("ClientCorrelationValue", "x" * 21_000), authentication])


def hide_in_text(authentication: Item) -> Item:
    return message(CREATE, header=[text("Authentication", str(authentication))])


@pytest.mark.parametrize("hide", [hide_behind_items, hide_in_long_header, hide_in_text])
def test_message_whose_credential_might_be_overlooked_is_refused(
    site: Site, server: ServerProcess, issuer: Issuer, hide: Callable[[Item], Item]
) -> None:
    locate = batch_item("Locate")
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        before = alice.do(locate)
        for password in ("junk", issuer.token(sub="bob", aud="kms")):
            alice.send(in_binary(hide(credential(password))))
            [item] = alice.receive()
            assert item["ResultStatus"] == "OperationFailed"
            assert item["ResultReason"] == "InvalidMessage"
        assert [item["ResponsePayload"] for item in alice.do(locate)] == [
            item["ResponsePayload"] for item in before
        ]


def test_message_with_a_long_header_is_refused_in_its_own_version(
    site: Site, server: ServerProcess
) -> None:
    long = text("ClientCorrelationValue", "x" * 21_000)
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        answer = alice.exchange(ask(CREATE, header=[version(1, 4), long]))
    assert in_binary(version(1, 4)) in answer


def digest_of(certificate: Certificate) -> str:
    return encode_digest(certificate.parsed.public_bytes(Encoding.DER))


def test_token_of_a_certificate_is_good_on_that_ones_connections_alone(
    site: Site, optional: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(sub="alice", aud="kms", cnf={"x5t#S256": digest_of(site.alice)})
    for _ in range(2):  # remembered, too
        with Connection(optional.kmip_port, site.trust(site.alice)) as alice:
            [item] = alice.do(CREATE, header=[credential(token)])
            assert item["ResultStatus"] == "Success"
        with Connection(optional.kmip_port, site.trust(None)) as thief:
            assert refusal(thief, credential(token)) == "token needs its client certificate"
        with Connection(optional.kmip_port, site.trust(site.bob)) as bob:
            assert refusal(bob, credential(token)) == "token bound to another client certificate"


def test_token_of_a_dpop_key_is_refused_and_the_reason_told(
    site: Site, optional: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(sub="alice", aud="kms", cnf={"jkt": thumbprint()})
    with Connection(optional.kmip_port, site.trust(None)) as alice:
        words = "the token is bound to a DPoP key, and KMIP has no place for a proof"
        assert refusal(alice, credential(token)) == words
        assert refusal(alice, credential(token)) == words


def test_token_is_enough_where_certificates_are_optional(
    site: Site, optional: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(sub="carol", aud="kms")
    with Connection(optional.kmip_port, site.trust(None)) as carol:
        [item] = carol.do(CREATE, header=[credential(token, "carol")])
        key = item["ResponsePayload", "UniqueIdentifier"]
        assert "a client certificate is needed" in refusal(carol)
        [item] = carol.do(get(key), header=[credential(token)])
        assert item["ResultStatus"] == "Success"
    assert optional.client.get_key(token, key).status == 200
    assert token not in optional.log


def test_stranger_is_answered_before_a_long_message_is_sent(
    site: Site, optional: ServerProcess
) -> None:
    whole = ask(CREATE)
    header_end = 16 + int.from_bytes(whole[12:16], "big")
    length = struct.pack(">I", 10_000_000)
    with Connection(optional.kmip_port, site.trust(None)) as stranger:
        stranger.send(whole[:4] + length + whole[8:header_end])
        [item] = stranger.receive()
        assert item["ResultReason"] == "AuthenticationNotSuccessful"
        assert stranger.is_closed()


def test_certificate_counts_where_certificates_are_optional(
    site: Site, optional: ServerProcess
) -> None:
    with Connection(optional.kmip_port, site.trust(site.alice)) as alice:
        assert alice.create()


def test_token_is_checked_for_each_message(
    site: Site, optional: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(sub="carol", aud="kms", exp=int(time.time()) + 2)
    deadline = time.monotonic() + 30
    with Connection(optional.kmip_port, site.trust(None)) as carol:
        while True:
            [item] = carol.do(QUERY, header=[credential(token)])
            if item["ResultStatus"] != "Success":
                break
            assert time.monotonic() < deadline
        assert "token expired" in item["ResultMessage"]


@pytest.fixture(scope="module")
def shared(site: Site, issuer: Issuer) -> Iterator[ServerProcess]:
    options = ("--kmip-user-namespace", "shared", "--kmip-user-from", "san-email")
    with serving_kmip(site, *trusting(issuer), *options) as running:
        yield running


def test_shared_names_are_those_of_tokens(
    site: Site, shared: ServerProcess, issuer: Issuer
) -> None:
    dave = site.authority.issue("dave", "somebody", emails=("dave@example.com",))
    with Connection(shared.kmip_port, site.trust(dave)) as connection:
        key = connection.create()
    token = issuer.token(sub="dave@example.com", aud="kms")
    assert shared.client.get_key(token, key).status == 200


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        pytest.param("none", {}, "no e-mail address", id="none"),
        pytest.param("many", {"emails": ("a@example.com", "b@example.com")},
                     "more than one e-mail address", id="two"),
        pytest.param("uri", {"uris": ("spiffe://example.com/dave",)}, "no e-mail address", id="a URI"),
    ],
)  # fmt: skip
def test_certificate_needs_the_configured_field(
    site: Site, shared: ServerProcess, file: str, options: dict[str, Any], words: str
) -> None:
    certificate = site.authority.issue(file, "dave", **options)
    with Connection(shared.kmip_port, site.trust(certificate)) as connection:
        assert words in refusal(connection)


def test_record_of_a_good_token_that_does_not_suffice_names_its_user(
    site: Site, issuer: Issuer
) -> None:
    with (
        serving_kmip(site, *trusting(issuer), "--jwt-required-claim", "may=anything") as server,
        Connection(server.kmip_port, site.trust(site.alice)) as alice,
    ):
        token = issuer.token(sub="alice", aud="kms")
        assert "claim or scope is missing" in refusal(alice, credential(token))
        database = server.data_dir / "kms.db"  # type: ignore[attr-defined]
        [record] = eventually(lambda: find_records(database, reason="scope"))
    assert (record["principal"], record["issuer"]) == ("alice", issuer.uri)
