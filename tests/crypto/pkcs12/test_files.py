"""PKCS#12 files taken apart: those of openssl and keytool, those that somebody made up, and their passwords."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from kms_tornado.crypto.pkcs12.files import MAX_OBJECTS, open_pkcs12
from kms_tornado.crypto.pkcs12.parts import (
    choose_key,
    find_certificate,
    find_issuers,
    select_chain,
)
from kms_tornado.crypto.pkcs12.passwords import MAX_ROUNDS
from kms_tornado.errors import (
    BadPassword,
    InvalidField,
    KMIPError,
    MalformedKey,
    UnsupportedCryptographicParameters,
)

from ... import odd_certificates as odd
from ...rows import each_row
from ..keys import pkcs12_files as files
from ..keys.pkcs12_files import EC, EC_CERTIFICATE, PASSWORD, RSA, RSA_CERTIFICATE, by_openssl

OPENSSL_OPTIONS = {
    "as it is": [],
    "legacy, 3DES and RC2": ["-legacy"],
    "RC2 with 40 and 128 bits": [
        "-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-RC2-128",
    ],
    "3DES with two keys": ["-keypbe", "PBE-SHA1-2DES", "-certpbe", "des-ede3-cbc"],
    "AES of 128 and 192 bits": ["-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC"],
    "SHA-512": ["-macalg", "sha512"],
    "10,000 rounds": ["-iter", "10000"],
    "one round": ["-noiter", "-nomaciter"],
    "no MAC": ["-nomac"],
    "nothing encrypted": ["-certpbe", "NONE", "-keypbe", "NONE"],
    "named": ["-name", "Büro"],
}  # fmt: skip


@each_row("options", OPENSSL_OPTIONS.values(), ids=OPENSSL_OPTIONS)
@each_row("password", [PASSWORD, b"", "päß 🔑".encode()], ids=["ASCII", "empty", "Unicode"])
def test_file_of_openssl_is_taken_apart(tmp_path, options, password):
    contents = open_pkcs12(by_openssl(tmp_path, *options, password=password), password)
    (key,), (certificate,) = contents.keys, contents.certificates
    assert key.octets.reveal() == files.pkcs8(RSA)
    assert key.key_id is not None
    assert key.key_id == certificate.key_id
    assert key.friendly_name == ("Büro" if "-name" in options else None)


@each_row(
    "options",
    [options for name, options in OPENSSL_OPTIONS.items() if name != "nothing encrypted"],
)
@each_row("wrong", [b"", b"Correct horse", b"correct hors", b"\xff\xfe", None])
def test_wrong_password_is_the_same_refusal(tmp_path, options, wrong):
    octets = by_openssl(tmp_path, *options)
    with pytest.raises(BadPassword, match="no password came" if not wrong else "does not open"):
        open_pkcs12(octets, wrong)


@pytest.mark.skipif(shutil.which("keytool") is None, reason="needs Java's keytool")
def test_wrong_password_is_told_where_the_padding_happens_to_be_right(tmp_path):
    """As for one in 256: without a MAC, and with certificates in the clear, nothing else checks it."""
    octets = by_openssl(tmp_path, "-nomac", "-noiter", "-certpbe", "NONE")
    for number in range(800):
        with pytest.raises(BadPassword, match="does not open"):
            open_pkcs12(octets, b"wrong %d" % number)


def test_keystore_of_java_is_taken_apart(tmp_path):
    command = ["keytool", "-J-XX:TieredStopAtLevel=1", "-genkeypair", "-alias", "Billing", "-keyalg", "EC",
               "-keystore", "store.p12", "-storepass", "changeit", "-dname", "CN=x"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    contents = open_pkcs12((tmp_path / "store.p12").read_bytes(), b"changeit")
    assert [key.friendly_name for key in contents.keys] == ["billing"]
    assert find_certificate(contents, contents.keys[0]) == 0


@pytest.mark.parametrize("depth", range(1, 7))
def test_file_in_ber_is_taken_apart(tmp_path, depth):
    octets = files.with_indefinite_lengths(by_openssl(tmp_path), depth)
    (key,) = open_pkcs12(octets, PASSWORD).keys
    assert key.octets.reveal() == files.pkcs8(RSA)


def test_attributes_that_are_not_known_say_nothing():
    odd = [
        files.attribute("2b0601040182371101", files.der(files.BMP, b"\0C")),
        files.attribute(files.FRIENDLY_NAME, files.number(1)),
        files.attribute(files.KEY_ID, files.number(1)),
        files.named("null \0 character"),
    ]
    contents = open_pkcs12(files.pfx(files.safe(files.key_bag(RSA, *odd))), b"")
    assert [(key.friendly_name, key.key_id) for key in contents.keys] == [(None, None)]


def test_bags_in_bags_are_taken_out_and_lists_of_revoked_certificates_left():
    nested = files.bag(6, files.der(files.SEQUENCE, files.key_bag(EC)))
    contents = open_pkcs12(files.pfx(files.safe(nested, files.bag(4, files.number(1)))), b"")
    assert [key.octets.reveal() for key in contents.keys] == [files.pkcs8(EC)]


def nested_bags(depth):
    value = files.key_bag(EC)
    for _ in range(depth):
        value = files.bag(6, files.der(files.SEQUENCE, value))
    return files.pfx(files.safe(value))


#: What is no file that is taken apart → the error, and what it says.
REFUSED = {
    "nothing": (b"", MalformedKey, "not what its KeyFormatType says"),
    "zeros": (bytes(64), MalformedKey, "not what its KeyFormatType says"),
    "another version": (files.pfx(files.safe(files.key_bag(RSA)), version=1), MalformedKey, "not what its KeyFormatType says"),
    "signed": (
        files.pfx(files.safe(files.key_bag(RSA)), kind="2a864886f70d010702"),
        UnsupportedCryptographicParameters,
        "signed instead",
    ),
    "an unknown bag": (files.pfx(files.safe(files.bag(9, files.number(1)))), MalformedKey, "not what its KeyFormatType says"),
    "a secret key": (
        files.pfx(files.safe(files.bag(5, files.number(1)))), InvalidField, "a secret key beside",
    ),
    "an unknown encryption": (
        files.pfx(files.safe(files.shrouded(files.old_scheme(1, "2a864886f70d010c0101")))),
        UnsupportedCryptographicParameters,
        "another encryption",
    ),
    "an unknown MAC": (
        files.pfx(files.safe(files.key_bag(RSA)), mac=files.mac(1, "2a864886f70d0205")),
        UnsupportedCryptographicParameters,
        "another MAC",
    ),
    "encrypted to a public key": (
        files.pfx(files.der(files.SEQUENCE, files.oid("2a864886f70d010703"),
                            files.der(files.EXPLICIT, files.number(0)))),
        UnsupportedCryptographicParameters,
        "encrypted to a public key",
    ),
    "bags in bags in bags": (nested_bags(20), KMIPError, "not what its KeyFormatType says"),
    "more than one request stores": (
        files.pfx(files.safe(*[files.certificate_bag(EC_CERTIFICATE)] * (MAX_OBJECTS + 1))),
        InvalidField,
        f"over {MAX_OBJECTS} keys and certificates",
    ),
}  # fmt: skip


@each_row(("octets", "error", "wording"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_taken_apart_is_refused_in_words(octets, error, wording):
    with pytest.raises(error, match=wording):
        open_pkcs12(octets, b"")


@each_row("rounds", [MAX_ROUNDS + 1, 10**8, 2**31 - 1, 2**64])
@each_row(
    "build",
    [
        pytest.param(lambda n: files.pfx(mac=files.mac(n)), id="MAC"),
        pytest.param(lambda n: files.pfx(files.safe(files.shrouded(files.pbes2(n)))), id="PBES2"),
        pytest.param(
            lambda n: files.pfx(files.safe(files.shrouded(files.old_scheme(n)))), id="3DES"
        ),
        pytest.param(lambda n: files.pfx(files.encrypted_safe(files.pbes2(n))), id="certificates"),
    ],
)
def test_file_that_asks_for_endless_work_is_refused_before_it_is_done(build, rounds):
    start = time.monotonic()
    with pytest.raises(InvalidField, match="rounds of its hash"):
        open_pkcs12(build(rounds), PASSWORD)
    assert time.monotonic() - start < 10


def test_rounds_of_many_parts_are_counted_together():
    part = files.encrypted_safe(files.pbes2(MAX_ROUNDS))
    start = time.monotonic()
    with pytest.raises(KMIPError):
        open_pkcs12(files.pfx(*[part] * 100), PASSWORD)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("rounds", [0])
def test_no_rounds_are_no_derivation(rounds):
    with pytest.raises(KMIPError):
        open_pkcs12(files.pfx(files.safe(files.shrouded(files.pbes2(rounds)))), PASSWORD)


def test_file_that_is_cut_off_or_altered_anywhere_is_refused(tmp_path):
    good = by_openssl(tmp_path, "-noiter", "-nomaciter", key=EC)
    for at in range(0, len(good), 7):
        altered = bytearray(good)
        altered[at] ^= 0x41
        for octets in (good[:at], bytes(altered)):
            with pytest.raises(KMIPError):
                open_pkcs12(octets, PASSWORD)


# --- what belongs together ----------------------------------------------------------------------


def contents_of(*bags):
    return open_pkcs12(files.pfx(files.safe(*bags)), b"")


def test_key_is_the_only_one_or_the_one_that_is_named():
    only = contents_of(files.key_bag(RSA, files.named("a")))
    assert choose_key(only, None) is choose_key(only, "A") is only.keys[0]
    both = contents_of(files.key_bag(RSA, files.named("a")), files.key_bag(EC, files.named("Beta")))
    assert choose_key(both, "beta") is both.keys[1]


@pytest.mark.parametrize(
    ("bags", "name", "wording"),
    [
        pytest.param([files.certificate_bag(EC_CERTIFICATE)], None, "has no private key", id="none"),
        pytest.param([files.key_bag(RSA), files.key_bag(EC)], None, "2 private keys", id="two"),
        pytest.param([files.key_bag(RSA)], "other", "of the name", id="of another name"),
        pytest.param([files.key_bag(RSA, files.named("a")), files.key_bag(EC, files.named("A"))],
                     "a", "2 private keys", id="two of one name"),
    ],
)  # fmt: skip
def test_key_that_is_not_told_apart_is_refused(bags, name, wording):
    with pytest.raises(InvalidField, match=wording):
        choose_key(contents_of(*bags), name)


def test_certificate_of_the_key_is_the_one_with_its_public_key_wherever_it_stands():
    contents = contents_of(
        files.certificate_bag(EC_CERTIFICATE), files.key_bag(RSA),
        files.certificate_bag(RSA_CERTIFICATE),
    )  # fmt: skip
    assert find_certificate(contents, contents.keys[0]) == 1
    assert select_chain(contents, 1, find_issuers(contents.certificates)) == (1, 0)


def test_of_several_keys_each_has_its_own_chain():
    contents = contents_of(
        files.key_bag(RSA), files.key_bag(EC), files.certificate_bag(EC_CERTIFICATE),
        files.certificate_bag(RSA_CERTIFICATE),
    )  # fmt: skip
    leaves = [find_certificate(contents, key) for key in contents.keys]
    assert leaves == [1, 0]
    issuers = find_issuers(contents.certificates)
    assert [select_chain(contents, leaf, issuers) for leaf in leaves] == [(1,), (0,)]


def test_certificates_that_only_ber_reads_are_put_together_like_others():
    serial, root = odd.long_form(0x02, b"\1"), odd.common_name("root")
    leaf = odd.certificate(issuer=root, key=odd.spki(RSA), serial=serial)
    contents = contents_of(
        files.certificate_bag(
            odd.certificate(issuer=root, subject=root, key=odd.spki(EC), serial=serial)
        ),
        files.certificate_bag(leaf),
        files.key_bag(RSA),
    )
    assert find_certificate(contents, contents.keys[0]) == 1
    assert find_issuers(contents.certificates) == (None, 0)


def test_identifier_that_lies_is_not_believed():
    lie = files.attribute(files.KEY_ID, files.der(files.OCTETS, b"1"))
    contents = contents_of(files.key_bag(RSA, lie), files.certificate_bag(EC_CERTIFICATE, lie))
    assert find_certificate(contents, contents.keys[0]) is None


def test_root_has_no_issuer_and_what_is_no_certificate_neither():
    contents = contents_of(
        files.certificate_bag(EC_CERTIFICATE), files.certificate_bag(b"none"), files.key_bag(EC)
    )
    assert find_issuers(contents.certificates) == (None, None)
