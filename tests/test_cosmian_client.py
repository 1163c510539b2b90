"""The real published client, cosmian_kms 4.22.1, against a real server.

Its Rust threads may abort the interpreter at exit, so it runs in processes of its own, which report
in JSON and leave by os._exit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from .kms import KMS, two_issuers
from .rows import each_row

pytest.importorskip("cosmian_kms")

DRIVER = """
import asyncio, json, os, sys
from cosmian_kms import KmsClient

given = json.load(sys.stdin)
found = {}

def client(token):
    return KmsClient(given["url"], token)

async def seal(c, data, key):
    e = await c.encrypt(data, key)
    return bytes(e.data()), bytes(e.iv_counter_nonce()), bytes(e.authenticated_encryption_tag())

async def said(call):
    # What the user of the client reads.
    try:
        return repr(await call())
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"

async def main():
    c, d = client(given["alice"]), client(given["bob"])
BODY

asyncio.run(main())
print(json.dumps(found), flush=True)
os._exit(0)
"""


def run(kms, body):
    """What the body left in `found`."""
    script = DRIVER.replace("BODY", textwrap.indent(textwrap.dedent(body), "    "))
    given = {"url": kms.url, "alice": kms.user("alice").token, "bob": kms.user("bob").token}
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    process = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(given), capture_output=True, text=True, timeout=60, env=env, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with two_issuers() as issuers, KMS(tmp_path_factory.mktemp("kms"), *issuers) as server:
        yield server


@pytest.fixture(scope="module")
def works(kms):
    return run(
        kms,
        """
        for bits, algorithm in ((128, "AES"), (192, "AES"), (256, "AES"), (256, "ChaCha20")):
            tag = f"{algorithm}-{bits}"
            key = await c.create_symmetric_key(bits, algorithm, tags=["all", tag])
            for data in (b"", b"pay 12 EUR", b"\\x87\\x87\\x01", bytes(200_000)):
                for identifier in (key, [tag], ["all", tag, "_kk"]):
                    sealed, iv, mac = await seal(c, data, identifier)
                    back = await c.decrypt(sealed, identifier, iv, mac)
                    assert isinstance(back, list) and bytes(back) == data
                    assert (len(sealed), len(iv), len(mac)) == (len(data), 12, 16)
            got = await c.get_object(key)
            assert got.object_type() == "SymmetricKey"
            assert bytes((await c.get_object([tag])).key_block()) == bytes(got.key_block())
            found[tag] = 8 * len(bytes(got.key_block()))
        key = await c.create_symmetric_key(256)
        sealed = await seal(c, b"x", key)
        found["revoked"] = await c.revoke_key("rotated", key)
        found["decrypted after"] = await c.decrypt(sealed[0], key, sealed[1], sealed[2])
        found["destroyed"] = await c.destroy_key(key)
        found["key"] = key
        await c.create_symmetric_key(256, tags=["end"])
        found["tags revoked"] = await c.revoke_key("rotated", ["end"])
        found["tags destroyed"] = await c.destroy_key(["end"])
        """,
    )


@pytest.mark.parametrize("key", ["AES-128", "AES-192", "AES-256", "ChaCha20-256"])
def test_keys_are_made_used_by_identifier_and_tags_and_read(works, key):
    assert works[key] == int(key.split("-")[1])


def test_key_is_revoked_still_decrypts_and_is_destroyed(works):
    assert works["revoked"] == works["destroyed"] == works["key"]
    assert works["decrypted after"] == [ord("x")]
    assert works["tags revoked"]
    assert works["tags destroyed"]


REFUSALS = {
    "no such key": "422 Item_Not_Found: no object to be used for this operation: absent",
    "no such tags": "Item_Not_Found: no object to be used",
    "no tags": "Invalid_Field: an empty list of tags names no object",
    "stranger gets": "Item_Not_Found: no object to be used for this operation: ",
    "stranger encrypts": "Item_Not_Found: ",
    "stranger revokes": "Item_Not_Found: ",
    "stranger destroys": "Item_Not_Found: ",
    "stranger's tags": "Item_Not_Found: ",
    "bad token": "token malformed",
    "forged token": "signature not valid",
    "empty token": "malformed Authorization header",
    "no token": "bearer token required",
    "65 bits": "Invalid_Attribute_Value: a key of AES has 128, 192 or 256 bits",
    "0 bits": "Invalid_Attribute_Value: ",
    "wrapped": "Item_Not_Found: no object to be used for this operation: no-kek",
    "system tag": "Invalid_Attribute_Value: a tag may not be empty nor start with an underscore",
    "sensitive": "Sensitive: the object is Sensitive",
    "active destroyed": "Wrong_Key_Lifecycle_State: the object is Active: revoke it first",
    "revoked encrypts": "Wrong_Key_Lifecycle_State: the object is Deactivated",
    "destroyed read": "Object_Destroyed: ",
    "short tag": "Cryptographic_Failure: decryption failed",
    "altered": "Cryptographic_Failure: decryption failed",
    "no tag": "Cryptographic_Failure: decryption failed",
    "no IV": "Missing_Initialization_Vector: ",
    "cover crypt: user key": "Feature_Not_Supported: Create makes symmetric keys",
    "cover crypt: rekey": "Feature_Not_Supported: CoverCrypt",
    "cover crypt: prune": "Feature_Not_Supported: CoverCrypt",
    "cover crypt: rename": "Feature_Not_Supported: CoverCrypt",
    "cover crypt: import": "_Not_Supported: ",
    "cover crypt: key pair": "Unsupported_Cryptographic_Parameters: CoverCrypt makes no key pair here",
    "cover crypt: encryption": "Item_Not_Found: ",
}


@pytest.fixture(scope="module")
def refusals(kms):
    return run(
        kms,
        """
        key = await c.create_symmetric_key(256, tags=["mine"])
        data, iv, tag = await seal(c, b"x", key)
        policy = b'{"version":"V2","last_attribute_value":0,"dimensions":{}}'
        calls = {
            "no such key": lambda: c.get_object("absent"),
            "no such tags": lambda: c.encrypt(b"", ["absent", "too"]),
            "no tags": lambda: c.destroy_key([]),
            "stranger gets": lambda: d.get_object(key),
            "stranger encrypts": lambda: d.encrypt(b"", key),
            "stranger revokes": lambda: d.revoke_key("mine now", key),
            "stranger destroys": lambda: d.destroy_key(key),
            "stranger's tags": lambda: d.encrypt(b"", ["mine"]),
            "bad token": lambda: client("bad").get_object(key),
            "forged token": lambda: client(given["alice"][:-8] + "AAAAAAAA").get_object(key),
            "empty token": lambda: client("").get_object(key),
            "no token": lambda: client(None).get_object(key),
            "65 bits": lambda: c.create_symmetric_key(65),
            "0 bits": lambda: c.create_symmetric_key(0),
            "wrapped": lambda: c.create_symmetric_key(256, wrapping_key_id="no-kek"),
            "system tag": lambda: c.create_symmetric_key(256, tags=["_kk"]),
            "active destroyed": lambda: c.destroy_key(key),
            "short tag": lambda: c.decrypt(data, key, iv, tag[:12]),
            "altered": lambda: c.decrypt(b"y", key, iv, tag),
            "no tag": lambda: c.decrypt(data, key, iv),
            "no IV": lambda: c.decrypt(data, key, None, tag),
            "cover crypt: user key":
                lambda: c.create_cover_crypt_user_decryption_key("a::b", key, False),
            "cover crypt: rekey": lambda: c.rekey_cover_crypt_access_policy("a::b", key),
            "cover crypt: prune": lambda: c.prune_cover_crypt_access_policy("a::b", key),
            "cover crypt: rename": lambda: c.rename_cover_crypt_attribute("a::b", "c", key),
            "cover crypt: import": lambda: c.import_cover_crypt_public_key(
                b"x" * 32, False, policy, "private", "new-public"),
            "cover crypt: key pair":
                lambda: c.create_cover_crypt_master_key_pair(policy, False),
            "cover crypt: encryption": lambda: c.cover_crypt_encryption("a::b", b"x", "absent"),
        }
        for label, call in calls.items():
            found[label] = await said(call)
        secret = await c.create_symmetric_key(256, sensitive=True)
        data, iv, tag = await seal(c, b"x", secret)
        assert bytes(await c.decrypt(data, secret, iv, tag)) == b"x"
        kept = await c.create_symmetric_key(256, wrapping_key_id=key)
        data, iv, tag = await seal(c, b"x", kept)
        assert bytes(await c.decrypt(data, kept, iv, tag)) == b"x"
        assert len((await c.get_object(kept)).key_block()) == 40  # RFC 5649 around 32 bytes
        found["sensitive"] = await said(lambda: c.get_object(secret))
        await c.revoke_key("over", key)
        found["revoked encrypts"] = await said(lambda: c.encrypt(b"", key))
        await c.destroy_key(key)
        found["destroyed read"] = await said(lambda: c.get_object(key))
        """,
    )


@each_row("label", REFUSALS)
def test_refusal_is_readable(refusals, label):
    line = refusals[label]
    assert line.startswith("Exception: REST Request Failed: /kmip/2_1: "), line
    assert REFUSALS[label].removeprefix("422 ") in line
    assert "Traceback" not in line


def test_stranger_reads_what_is_said_of_a_missing_key(refusals):
    shapes = {
        refusals[label].rpartition(": ")[0]
        for label in ("stranger gets", "stranger encrypts", "stranger revokes", "no such key")
    }
    assert len(shapes) == 1
