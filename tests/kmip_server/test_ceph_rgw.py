"""Ceph's gateway itself encrypts what it stores with keys of this server, as docs/kmip-clients/ceph-rgw.md says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ..deploy.proxies import replace
from ..docs.blocks import blocks
from ..issuer import Issuer
from ..kmip_items import name, structure, uid
from ..server import ServerProcess
from .ceph import Ceph
from .client import Site, named_key

pytestmark = pytest.mark.soak  # Ceph takes 300 MB of packages and some seconds

BUCKET = "tests"


@pytest.fixture(scope="module")
def gateway(
    site: Site, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A client of S3 at a gateway with the configuration of the page, and an empty bucket."""
    pytest.importorskip("boto3")
    certificate = site.authority.issue("rgw", "rgw")
    options = replace(
        blocks("docs/kmip-clients/ceph-rgw.md")[0].text,
        {
            "kms.example.com:5696": f"127.0.0.1:{server.kmip_port}",
            "/etc/ceph/kms-ca.crt": str(site.authority.file),
            "/etc/ceph/rgw.crt": str(certificate.cert),
            "/etc/ceph/rgw.key": str(certificate.key),
        },
    )
    with Ceph(tmp_path_factory.mktemp("ceph"), options) as ceph:
        client = ceph.connect()
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def token(issuer: Issuer) -> str:
    return issuer.token(sub="alice", aud="kms")


def store(gateway: Any, file: str, content: bytes, *, key: str) -> None:
    gateway.put_object(
        Bucket=BUCKET, Key=file, Body=content, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )


def fetch(gateway: Any, file: str) -> bytes:
    content: bytes = gateway.get_object(Bucket=BUCKET, Key=file)["Body"].read()
    return content


def refusal(gateway: Any, key: str) -> str:
    """The code of the error when an object is to be stored under the key."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        store(gateway, "refused", b"x", key=key)
    return str(caught.value.response["Error"]["Code"])


def test_objects_stored_by_many_at_once_are_read_again(
    gateway: Any, server: ServerProcess, token: str
) -> None:
    named_key(server, token, "many", "get", client="rgw")
    contents = {f"file {number}": os.urandom(1000 * number) for number in range(100)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda file: store(gateway, file, contents[file], key="many"), contents))
        found = dict(pool.map(lambda file: (file, fetch(gateway, file)), contents))
    assert found == contents


def test_key_that_was_not_granted_is_none_for_the_gateway(
    gateway: Any, server: ServerProcess, token: str
) -> None:
    assert refusal(gateway, "nothing of this name") == "NoSuchKey"
    named_key(server, token, "other", "get")  # granted to another client than the gateway
    assert refusal(gateway, "other") == "NoSuchKey"
    assert "user=cert:rgw operation=Locate" in server.log


def test_what_is_stored_is_read_under_a_revoked_key_and_no_more_under_a_destroyed_one(
    gateway: Any, server: ServerProcess, token: str
) -> None:
    from botocore.exceptions import ClientError

    key = named_key(server, token, "ended", "get", client="rgw")
    revoke = structure(
        "Revoke",
        uid(key),
        structure("RevocationReason", name("RevocationReasonCode", "CessationOfOperation")),
    )
    store(gateway, "file", b"content", key="ended")
    for request in (revoke, structure("Destroy", uid(key))):
        assert fetch(gateway, "file") == b"content"
        assert server.client.post("/kmip_2_1", token=token, body=request).status == 200
    with pytest.raises(ClientError):
        fetch(gateway, "file")
