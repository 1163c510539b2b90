"""The verbs of certificates: chains and PKCS#12 files are brought in parts that are linked."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from kms_tornado.client import KMSClient
from kms_tornado.client.cli.keys import certificates
from kms_tornado.client.errors import ServerUnavailable
from kms_tornado.kmip.enums import LinkType, ObjectType, State

from ....keys import rsa_key
from ....odd_certificates import CORPUS
from ...key_files.samples import native
from ..runner import Kmsctl

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def issue(subject: str, key: str, issuer: str, issuer_key: str) -> x509.Certificate:
    """A certificate for the key, signed by the issuer's. Names of keys: as in `samples`."""
    subject_name, issuer_name = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        for name in (subject, issuer)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer_name)
        .public_key(native(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=subject != "leaf", path_length=None), critical=True)
        .sign(native(issuer_key), hashes.SHA256())
    )


ROOT = issue("root", "p256", "root", "p256")
MIDDLE = issue("middle", "p384", "root", "p256")
LEAF = issue("leaf", "rsa", "middle", "p384")
LEAF_KEY = native("rsa").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def links_of(client: KMSClient, uid: str) -> dict[LinkType, str]:
    return {
        link.link_type: link.linked_object_identifier for link in client.get_attributes(uid).links
    }


def brought(outcome) -> list[str]:
    assert outcome.code == 0, outcome.stderr
    return outcome.lines


@pytest.mark.parametrize("file_format", ["pem", "der", "json-ttlv"])
def test_certificate_comes_back_as_it_was_brought(
    alice: Kmsctl, tmp_path: Path, file_format: str
) -> None:
    (uid,) = brought(alice("certificates", "import", "-", "-t", "tls", stdin=pem(LEAF)))
    path = tmp_path / "certificate"
    assert alice("certificates", "export", "-c", uid, path, "-f", file_format).code == 0
    (again,) = brought(alice("certificates", "import", path))
    assert alice("certificates", "export", again, "-", "-f", "pem").output == pem(LEAF)


def test_certificate_has_the_links_that_are_given(alice: Kmsctl, client: KMSClient) -> None:
    argv = ("-k", "private", "-q", "public", "-i", "issuer")
    (uid,) = brought(alice("certificates", "import", "-", "linked", *argv, stdin=pem(LEAF)))
    assert uid == "linked"
    assert links_of(client, uid) == {
        LinkType.PRIVATE_KEY_LINK: "private",
        LinkType.PUBLIC_KEY_LINK: "public",
        LinkType.CERTIFICATE_LINK: "issuer",
    }


@pytest.mark.parametrize("order", [(LEAF, MIDDLE, ROOT), (ROOT, LEAF, MIDDLE)])
def test_chain_is_linked_in_whatever_order_it_stands(
    alice: Kmsctl, client: KMSClient, order: tuple[x509.Certificate, ...]
) -> None:
    outcome = alice("certificates", "import", "-", "-f", "chain", stdin=pem(*order))
    leaf, *_ = brought(outcome)
    assert alice("certificates", "export", leaf, "-", "-f", "pem").output == pem(LEAF)
    middle = links_of(client, leaf)[LinkType.CERTIFICATE_LINK]
    assert alice("certificates", "export", middle, "-", "-f", "pem").output == pem(MIDDLE)
    root = links_of(client, middle)[LinkType.CERTIFICATE_LINK]
    assert alice("certificates", "export", root, "-", "-f", "pem").output == pem(ROOT)
    assert links_of(client, root) == {}


def make_pkcs12(password: bytes | None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(
        b"me", native("rsa"), LEAF, [ROOT, MIDDLE], encryption
    )


def test_pkcs12_file_is_brought_as_key_certificate_and_chain(
    alice: Kmsctl, client: KMSClient, tmp_path: Path
) -> None:
    path, password = tmp_path / "all.p12", tmp_path / "password"
    path.write_bytes(make_pkcs12(b"hunter2"))
    password.write_text("hunter2\n")
    argv = ("--password-file", password, "--name", "server", "-t", "tls")
    key, leaf, *chain = brought(alice("certificates", "import", path, "server-1", *argv))
    assert key == "server-1"
    assert client.get_attributes(key).object_type is ObjectType.PRIVATE_KEY
    assert client.locate(name="server") == [key]
    assert links_of(client, key) == {LinkType.PKCS12_CERTIFICATE_LINK: leaf}
    assert links_of(client, leaf)[LinkType.PRIVATE_KEY_LINK] == key
    assert links_of(client, leaf)[LinkType.CERTIFICATE_LINK] in chain
    assert len(chain) == 2
    assert alice("rsa", "keys", "export", key, "-", "-f", "pem").output == LEAF_KEY


def test_password_in_the_arguments_is_taken_with_a_warning(alice: Kmsctl, tmp_path: Path) -> None:
    path = tmp_path / "all.p12"
    path.write_bytes(make_pkcs12(b"hunter2"))
    outcome = alice("certificates", "import", path, "-f", "pkcs12", "-p", "hunter2")
    assert len(brought(outcome)) == 4
    assert "seen by every user of this machine: use --password-file" in outcome.stderr
    assert "hunter2" not in outcome.stderr


def test_pem_file_with_a_key_and_a_chain_is_brought_likewise(
    alice: Kmsctl, client: KMSClient
) -> None:
    outcome = alice("certificates", "import", "-", "--json", stdin=pem(LEAF, MIDDLE) + LEAF_KEY)
    objects = json.loads(outcome.stdout)
    assert [one["object"] for one in objects] == [
        "an RSA private key",
        "a certificate",
        "a certificate",
    ]
    key, leaf = (one["unique_identifier"] for one in objects[:2])
    assert links_of(client, leaf)[LinkType.PRIVATE_KEY_LINK] == key


def test_terminal_shows_what_each_part_is(alice: Kmsctl, tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(pem(LEAF, MIDDLE))
    shown = alice.terminal("certificates", "import", path).stdout
    assert shown.count("a certificate") == 2
    assert len(shown.splitlines()) == 3


def test_failure_on_the_way_names_what_was_brought_before(
    alice: Kmsctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["first", ServerUnavailable("the server is busy")])

    def import_one(*_: object, **__: object) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(certificates, "import_one", import_one)
    outcome = alice("certificates", "import", "-", stdin=pem(LEAF, MIDDLE))
    assert outcome.code == 1
    assert outcome.stderr == ("kmsctl: the server is busy: imported before that, and kept: first\n")


def test_certificate_encrypts_and_its_key_decrypts(alice: Kmsctl, tmp_path: Path) -> None:
    key, leaf, *_ = brought(alice("certificates", "import", "-", stdin=pem(LEAF) + LEAF_KEY))
    (tmp_path / "note.txt").write_bytes(b"hello")
    assert alice("certificates", "encrypt", "-c", leaf, tmp_path / "note.txt").code == 0
    outcome = alice("certificates", "decrypt", "-k", key, tmp_path / "note.enc", "-o", "-")
    assert (outcome.code, outcome.output) == (0, b"hello")


def test_certificate_is_revoked_and_destroyed(alice: Kmsctl, client: KMSClient) -> None:
    (uid,) = brought(alice("certificates", "import", "-", stdin=pem(LEAF)))
    revoke = ("certificates", "revoke", "-c", uid, "left", "-r", "affiliation-changed", "--yes")
    assert brought(alice(*revoke)) == [uid]
    assert alice("certificates", "export", uid, "-").code == 1
    assert alice("certificates", "export", uid, "-", "-r", "-f", "pem").output == pem(LEAF)
    assert brought(alice("certificates", "destroy", uid, "--yes")) == [uid]
    assert client.get_attributes(uid).state is State.DESTROYED


OTHER_KEY = native("ed25519").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
REFUSED = [
    ([], LEAF_KEY, 1, "holds an RSA private key: certificates come alone, or with one private key"),
    ([], LEAF_KEY + OTHER_KEY + pem(LEAF), 1, "with one private key"),
    ([], OTHER_KEY + pem(LEAF), 1, "the private key belongs to none of the certificates"),
    (["-f", "chain"], LEAF_KEY + pem(LEAF), 1, "an RSA private key, not chain"),
    (["-k", "key"], pem(LEAF, MIDDLE), 2, "holds 2 objects, which are linked to one another"),
    (["-f", "ccadb"], pem(LEAF), 2, "'ccadb' is not one of"),
    (["-f", "pkcs12"], pem(LEAF), 2, "give its password with --password-file"),
    (["-f", "pkcs12", "--password-file", "/dev/null"], make_pkcs12(b"x"), 1, "does not open"),
    ([], make_pkcs12(b"hunter2"), 2, "give its password with --password-file"),
    ([], b"hello", 1, "the file is none of PEM"),
    ([], pem(LEAF)[:-40], 1, "no complete PEM block"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "octets", "code", "words"), REFUSED)
def test_refused_import_is_one_line(
    alice: Kmsctl, argv: list[str], octets: bytes, code: int, words: str
) -> None:
    outcome = alice("certificates", "import", "-", *argv, stdin=octets)
    assert (outcome.code, outcome.output) == (code, b""), outcome.stderr
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


ODD = (
    "PrintableString with an asterisk",
    "T61String with Latin-1",
    "a set out of order",
    "UTCTime with an offset",
    "version 1",
    "lengths that are not the shortest",
    "a certificate whose end is marked",
    "a key of a type that is still to come",
    "a negative serial number",
)


@pytest.mark.parametrize("file_format", ["pem", "der"])
@pytest.mark.parametrize("kind", ODD)
def test_certificate_that_breaks_the_rules_comes_back_byte_for_byte(
    alice: Kmsctl, tmp_path: Path, kind: str, file_format: str
) -> None:
    octets = CORPUS[kind].octets
    path = tmp_path / "certificate"
    path.write_bytes(DER_cert_to_PEM_cert(octets).encode() if file_format == "pem" else octets)
    (uid,) = brought(alice("certificates", "import", path))
    assert alice("certificates", "export", uid, "-", "-f", "der").output == octets
    exported = alice("certificates", "export", uid, "-", "-f", "pem")
    assert exported.output == DER_cert_to_PEM_cert(octets).encode()


def test_private_key_is_found_to_belong_to_a_certificate_that_breaks_the_rules(
    alice: Kmsctl, client: KMSClient
) -> None:
    key = rsa_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    octets = DER_cert_to_PEM_cert(CORPUS["PrintableString with an asterisk"].octets).encode()
    outcome = alice("certificates", "import", "-", stdin=pem(ROOT) + octets + key)
    private, leaf, _ = brought(outcome)
    assert links_of(client, leaf)[LinkType.PRIVATE_KEY_LINK] == private
