"""What DER shows of a key, and that keys of other programs pass as the octets that they are."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from kms_tornado.client.key_files.der import find_key_algorithm, is_pkcs8, is_spki
from kms_tornado.client.key_files.errors import KeyFileError
from kms_tornado.client.key_files.kmip_objects import octets_of, summarise_object
from kms_tornado.client.key_files.reading import ReadingOptions, read_key_file
from kms_tornado.client.key_files.writing import write_key_file
from kms_tornado.kmip.enums import CryptographicAlgorithm as A

from ...outside_keys import of_openssl
from ...rows import each_row
from .samples import sample

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
FAMILIES = {"RSA": "RSA", "DSA": "DSA", "DH": "Diffie-Hellman"}


def pem(octets: bytes, label: str) -> bytes:
    body = base64.encodebytes(octets).replace(b"\n", b"")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return b"\n".join(
        [f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----\n".encode()]
    )


def test_keys_of_openssl_pass_as_they_are() -> None:
    """Also those that the client's library does not know, or of which it would lose something."""
    made = of_openssl()
    assert {"RSA-PSS limited", "brainpoolP320t1", "prime256v1 explicit", "DH"} <= set(made)
    for kind, key in made.items():
        for octets, label in ((key.private, "PRIVATE KEY"), (key.public, "PUBLIC KEY")):
            for file, written_as in ((octets, "der"), (pem(octets, label), "pem")):
                (managed,) = read_key_file(file, ReadingOptions())
                assert octets_of(managed) == octets, kind
                assert summarise_object(managed).family == FAMILIES.get(
                    key.algorithm, "elliptic-curve"
                )
                assert write_key_file(managed, written_as) == file, kind


@each_row("file_format", ["jwk", "pkcs1-pem", "sec1-der", "openssh"])
@each_row("kind", ["DH", "DHX", "brainpoolP320t1", "prime192v1", "DSA"])
def test_format_that_a_key_has_not_is_refused_in_a_line(kind: str, file_format: str) -> None:
    if (kind, file_format) == ("prime192v1", "sec1-der"):
        return
    (managed,) = read_key_file(of_openssl()[kind].private, ReadingOptions())
    with pytest.raises(KeyFileError) as caught:
        write_key_file(managed, file_format)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("rsa", A.RSA), ("p256", A.EC), ("dsa", A.DSA), ("ed448", A.ED448), ("x25519", A.ECDH)],
)
def test_shape_and_algorithm_are_told(kind: str, algorithm: A) -> None:
    private, public = (octets_of(sample(f"{kind} {half}")) for half in ("private", "public"))
    assert (is_pkcs8(private), is_spki(private)) == (True, False)
    assert (is_pkcs8(public), is_spki(public)) == (False, True)
    assert find_key_algorithm(private) is find_key_algorithm(public) is algorithm


@each_row(
    "octets",
    [
        b"", b"\x30", b"\x30\x80\0\0", b"\x30\x03\x02\x01", b"\x30\x84\xff\xff\xff\xff", b"hello, world",
        octets_of(sample("certificate")), write_key_file(sample("rsa private"), "pkcs1-der"),
        write_key_file(sample("p256 private"), "sec1-der"),
        octets_of(sample("rsa private"))[:-1], octets_of(sample("rsa private")) + b"\0",
    ],
)  # fmt: skip
def test_what_is_neither_is_told_apart(octets: bytes) -> None:
    assert not is_pkcs8(octets)
    assert not is_spki(octets)


@pytest.mark.parametrize("label", ["PRIVATE KEY", "PUBLIC KEY"])
def test_damaged_key_is_refused_here(label: str) -> None:
    half = label.split()[0].lower()
    octets = bytearray(octets_of(sample(f"rsa {half}")))
    octets[-40] ^= 1
    if half == "private":
        with pytest.raises(KeyFileError, match="malformed"):
            read_key_file(pem(bytes(octets), label), ReadingOptions())
    for broken in (b"*" * 64, base64.b64encode(octets[:-9])):
        file = b"\n".join(
            [f"-----BEGIN {label}-----".encode(), broken, f"-----END {label}-----\n".encode()]
        )
        with pytest.raises(KeyFileError, match="malformed"):
            read_key_file(file, ReadingOptions())


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize("options", [
    ("rsa", "-b", "2048"), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "384"), ("ecdsa", "-b", "521"), ("ed25519",),
], ids=" ".join)  # fmt: skip
def test_keys_of_ssh_keygen_go_there_and_back(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "id"
    run = ["ssh-keygen", "-q", "-t", *options, "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(run, check=True)
    line = path.with_suffix(".pub").read_bytes()
    (private,) = read_key_file(path.read_bytes(), ReadingOptions())
    (public,) = read_key_file(line, ReadingOptions())
    assert write_key_file(public, "openssh").split()[:2] == line.split()[:2]
    again = tmp_path / "again"
    again.touch(mode=0o600)
    again.write_bytes(write_key_file(private, "openssh"))
    computed = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(again)], capture_output=True, check=True
    )
    assert computed.stdout.split()[:2] == line.split()[:2]
    assert read_key_file(again.read_bytes(), ReadingOptions(), "openssh") == (private,)
    for form in ("RFC4716", *([] if options[0] == "ed25519" else ["PKCS8"])):
        export = ["ssh-keygen", "-e", "-m", form, "-f", str(path.with_suffix(".pub"))]
        written = subprocess.run(export, capture_output=True, check=True).stdout
        assert read_key_file(written, ReadingOptions()) == (public,)


RFC_4716 = b"""---- BEGIN SSH2 PUBLIC KEY ----
Subject: me
Comment: "a long \\
comment: of two lines"
%s
---- END SSH2 PUBLIC KEY ----
"""


def test_headers_of_rfc_4716_are_passed_over() -> None:
    public = sample("ed25519 public")
    encoded = write_key_file(public, "openssh").split()[1]
    assert read_key_file(RFC_4716 % encoded, ReadingOptions()) == (public,)
    for broken in (b"", b"AAAA", b"*" * 32, encoded[:-8]):
        with pytest.raises(KeyFileError, match="OpenSSH public key is malformed"):
            read_key_file(RFC_4716 % broken, ReadingOptions())
