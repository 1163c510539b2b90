"""The verbs sign and sign-verify."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from ..runner import Kmsctl

KINDS = {
    "rsa": {"algorithm": "RSA", "length": 2048},
    "p256": {"algorithm": "EC", "curve": "P-256"},
    "p384": {"algorithm": "EC", "curve": "P-384"},
    "ed25519": {"algorithm": "Ed25519"},
}


@pytest.fixture(scope="module")
def pairs(client: KMSClient) -> None:
    for name, arguments in KINDS.items():
        client.create_key_pair(
            **arguments, unique_identifier=name, public_key_identifier=f"{name}_pk"
        )


def noun_of(kind: str) -> str:
    return "rsa" if kind == "rsa" else "ec"


@pytest.mark.parametrize("kind", KINDS)
def test_signature_is_written_beside_the_file_and_is_valid(
    alice: Kmsctl, pairs, tmp_path: Path, kind: str
) -> None:
    noun, path = noun_of(kind), tmp_path / "note.txt"
    path.write_bytes(b"hello" * 10_000)
    assert alice(noun, "sign", "-k", kind, path).code == 0
    verify = (noun, "sign-verify", "-k", f"{kind}_pk", path, tmp_path / "note.sig")
    assert alice(*verify).lines == ["valid"]
    path.write_bytes(b"hallo" * 10_000)
    outcome = alice(*verify)
    assert (outcome.code, outcome.output) == (1, b"")
    assert "is no signature of" in outcome.stderr
    as_json = alice(*verify, "--json")
    assert (as_json.code, json.loads(as_json.stdout)) == (1, {"is_valid": False})


@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_digest_is_signed_as_its_data_are(alice: Kmsctl, pairs, tmp_path: Path, kind: str) -> None:
    noun = noun_of(kind)
    signature, digest = tmp_path / "sig", tmp_path / "digest"
    digest.write_bytes(hashlib.sha256(b"hello").digest())
    assert alice(noun, "sign", "-k", kind, "--digested", digest, "-o", signature).code == 0
    verify = (noun, "sign-verify", "-k", f"{kind}_pk")
    assert alice(*verify, "-", signature, stdin=b"hello").lines == ["valid"]
    assert alice(*verify, "--digested", digest, signature).lines == ["valid"]


REFUSED = [
    (["rsa", "sign", "-k", "rsa", "--digested", "-"], 1, "bytes"),
    (["ec", "sign", "-"], 2, "no key is named"),
    (["ec", "sign", "-k", "ed25519"], 2, "Missing argument"),
    (["ec", "sign-verify", "-k", "ed25519_pk", "-", "-"], 2, "either the file or the signature"),
    (["ec", "sign-verify", "-k", "ed25519_pk", "-"], 2, "Missing argument"),
    (["ec", "sign-verify", "-k", "ed25519_pk", "-", "/dev/null"], 1, "is no signature"),
    (["ec", "sign-verify", "-k", "ed25519_pk", "-", "/nowhere"], 1, "/nowhere: No such file"),
]


@pytest.mark.parametrize(("argv", "code", "words"), REFUSED)
def test_refusal_is_one_line(alice: Kmsctl, pairs, argv: list[str], code: int, words: str) -> None:
    outcome = alice(*argv, stdin=b"hello")
    assert (outcome.code, outcome.output) == (code, b""), outcome.stderr
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
