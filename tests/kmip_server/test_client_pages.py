"""The pages below docs/kmip-clients/: what they tell to grant is enough for the client, and each says what was tried."""

from __future__ import annotations

import ssl

from ..docs.blocks import DOCS, blocks
from ..issuer import Issuer
from ..kmip_items import batch_item, name, named, number, octets, structure, uid
from ..server import ServerProcess
from .client import Connection, Site, named_key

#: The page about all clients, and the folder of those about one.
CLIENTS = "kmip-clients"
#: Who needs a page of their own.
PAGES = ["ceph-rgw", "mongodb", "mysql", "openbao", "pg-tde", "vcenter"]


def test_each_client_has_a_page_with_its_configuration_and_with_what_was_tried() -> None:
    pages = sorted((DOCS / CLIENTS).glob("*.md"))
    assert [page.stem for page in pages] == PAGES
    index = (DOCS / f"{CLIENTS}.md").read_text()
    for page in pages:
        text = page.read_text()
        assert f"\nkmip-clients/{page.stem}\n" in index
        assert "\n## What was tried, and what was not\n" in text
        assert "| not tried |" in text
        what = [each.text for each in blocks(f"docs/kmip-clients/{page.stem}.md")]
        assert page.stem == "vcenter" or what, "nothing to paste"
        assert f"(../{CLIENTS}.md#before-any-of-them)" in text


def as_client(site: Site, user: str) -> ssl.SSLContext:
    return site.trust(site.authority.issue(user, user))


def test_gateway_finds_by_its_name_the_key_that_it_may_get(
    site: Site, server: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(sub="alice", aud="kms")
    key = named_key(server, token, "rgw", "get")
    sought = structure(
        "Attributes",
        named("rgw"),
    )
    with Connection(server.kmip_port, as_client(site, "rgw")) as gateway:
        located, given = gateway.do(batch_item("Locate", sought), batch_item("Get"))
    assert located["ResponsePayload", "UniqueIdentifier"] == key
    assert given["ResultStatus"] == "Success"


def test_openbao_encrypts_by_its_own_nonce_with_a_key_that_it_never_gets(
    site: Site, server: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(sub="alice", aud="kms")
    key = named_key(server, token, "openbao", "encrypt", "decrypt", "get_attributes")
    parameters = structure(
        "CryptographicParameters",
        name("BlockCipherMode", "GCM"),
        number("TagLength", 16),
    )
    encrypt = batch_item(
        "Encrypt", uid(key), parameters, octets("Data", b"root key"), octets("IVCounterNonce", bytes(12))
    )  # fmt: skip
    with Connection(server.kmip_port, as_client(site, "openbao")) as openbao:
        [described] = openbao.do(batch_item("GetAttributes", uid(key)))
        [sealed] = openbao.do(encrypt)
        assert described["ResultStatus"] == sealed["ResultStatus"] == "Success"
        decrypt = batch_item(
            "Decrypt",
            uid(key),
            parameters,
            octets("Data", sealed.octets("ResponsePayload", "Data")),
            octets("IVCounterNonce", bytes(12)),
            octets(
                "AuthenticatedEncryptionTag",
                sealed.octets("ResponsePayload", "AuthenticatedEncryptionTag"),
            ),
        )
        [opened] = openbao.do(decrypt)
        assert opened.octets("ResponsePayload", "Data") == b"root key"
        assert openbao.reason(batch_item("Get", uid(key))) == "ObjectNotFound"
