"""The files of `openssl` and `ssh-keygen` are read, and `openssl` reads ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kms_tornado.client.key_files.errors import KeyFileError, PasswordRequired
from kms_tornado.client.key_files.kmip_objects import summarise_object
from kms_tornado.client.key_files.reading import ReadingOptions, read_key_file
from kms_tornado.client.key_files.writing import write_key_file
from kms_tornado.kmip.objects import Object

from ...keys import private_pem, rsa_key
from ...rows import each_row
from .samples import certificate, sample

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def run(*command: str, given: bytes | None = None) -> bytes:
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def make(folder: Path, kind: str) -> Path:
    """A key of OpenSSL's in PKCS#8. That of RSA it is given, as it would look for primes too long."""
    path = folder / "key.pem"
    if kind == "rsa":
        given = private_pem(rsa_key(2048))
        run("openssl", "pkcs8", "-topk8", "-nocrypt", "-out", str(path), given=given)
        return path
    options = {
        "p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        "p521": ("EC", "-pkeyopt", "ec_paramgen_curve:P-521"),
        "ed25519": ("ED25519",),
        "x25519": ("X25519",),
    }[kind]
    run("openssl", "genpkey", "-algorithm", *options, "-out", str(path))
    return path


def read(octets: bytes, password: bytes | None = None) -> tuple[Object, ...]:
    return read_key_file(octets, ReadingOptions(password=password))


@pytest.mark.parametrize("kind", ["rsa", "p256", "p521", "ed25519", "x25519"])
def test_key_of_openssl_is_read_alike_from_every_form(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    (private,) = read(path.read_bytes())
    forms = [run("openssl", "pkey", "-in", str(path), "-outform", "DER")]
    if not kind.endswith("25519"):  # those have no form but PKCS#8
        forms.append(run("openssl", "pkey", "-in", str(path), "-traditional"))
    for form in forms:
        assert read(form) == (private,)
    encrypted = run("openssl", "pkey", "-in", str(path), "-aes256", "-passout", "pass:hunter2")
    with pytest.raises(PasswordRequired):
        read(encrypted)
    assert read(encrypted, b"hunter2") == (private,)
    (public,) = read(run("openssl", "pkey", "-in", str(path), "-pubout"))
    assert read(run("openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER")) == (public,)


def test_ec_key_with_parameters_in_front_is_read(tmp_path: Path) -> None:
    (private,) = read(run("openssl", "ecparam", "-name", "prime256v1", "-genkey"))
    assert summarise_object(private).text == "an elliptic-curve private key"


@pytest.mark.parametrize("legacy", [(), ("-certpbe", "NONE"), ("-keypbe", "aes-128-cbc")])
def test_pkcs12_of_openssl_is_read(tmp_path: Path, legacy: tuple[str, ...]) -> None:
    key, cert, store = (tmp_path / name for name in ("key.pem", "cert.pem", "all.p12"))
    key.write_bytes(write_key_file(sample("p256 private"), "pem"))
    cert.write_bytes(write_key_file(sample("certificate"), "pem"))
    run(
        *("openssl", "pkcs12", "-export", "-inkey", str(key), "-in", str(cert)),
        *("-out", str(store), "-passout", "pass:hunter2", *legacy),
    )
    objects = read(store.read_bytes(), b"hunter2")
    assert objects == (sample("p256 private"), sample("certificate"))


@pytest.mark.skipif(shutil.which("keytool") is None, reason="needs Java")
def test_pkcs12_of_several_keys_is_refused_with_the_command_that_takes_one_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which end before it is worth while to compile them well.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    store, one = tmp_path / "all.p12", tmp_path / "one.p12"
    password = ("-storepass", "hunter2")
    for alias in ("first", "second"):
        run(
            *("keytool", "-genkeypair", "-alias", alias, "-keyalg", "EC", "-dname", f"CN={alias}"),
            *("-keystore", str(store), "-storetype", "PKCS12", *password),
        )
    with pytest.raises(KeyFileError) as refused:
        read(store.read_bytes(), b"hunter2")
    text = str(refused.value)
    assert text.startswith("the PKCS#12 file holds 2 private keys, and one at a time is read: ")
    command = text.split("`")[1]
    for name, value in (("FILE", str(store)), ("NAME", "second"), ("ONE.p12", str(one))):
        command = command.replace(name, value)
    passwords = ("-srcstorepass", "hunter2", "-deststorepass", "hunter2")
    run(*command.split(), *passwords)
    assert [summarise_object(each).text for each in read(one.read_bytes(), b"hunter2")] == [
        "an elliptic-curve private key",
        "a certificate",
    ]


def test_pkcs7_bundle_of_openssl_is_read_as_certificates(tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(
        write_key_file(sample("certificate"), "pem")
        + certificate("rsa", "ca").public_bytes(Encoding.PEM)
    )
    bundle = run("openssl", "crl2pkcs7", "-nocrl", "-certfile", str(path))
    assert read(bundle) == read(path.read_bytes())
    der = run("openssl", "crl2pkcs7", "-nocrl", "-certfile", str(path), "-outform", "DER")
    assert read(der) == read(path.read_bytes())


@each_row("kind", ["rsa", "p256", "p521", "ed25519", "x25519"])
@each_row("file_format", ["pkcs8-pem", "pkcs8-der", "pem", "sec1-pem", "pkcs1-der"])
def test_openssl_reads_the_private_keys_that_are_written(kind: str, file_format: str) -> None:
    managed = sample(f"{kind} private")
    try:
        octets = write_key_file(managed, file_format)
    except KeyFileError:
        assert {"sec1-pem": kind[0] != "p", "pkcs1-der": kind != "rsa"}[file_format]
        return
    form = "DER" if file_format.endswith("der") else "PEM"
    again = run("openssl", "pkey", "-inform", form, "-outform", "DER", given=octets)
    assert read(again) == (managed,)


@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
def test_openssl_reads_the_public_keys_and_certificates_that_are_written(kind: str) -> None:
    public = sample(f"{kind} public")
    octets = write_key_file(public, "spki-pem")
    assert read(run("openssl", "pkey", "-pubin", "-pubout", given=octets)) == (public,)
    leaf = sample("certificate")
    assert read(run("openssl", "x509", given=write_key_file(leaf, "pem"))) == (leaf,)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize(("kind", "words"), [
    ("ed25519", "an elliptic-curve private key"),
    ("ecdsa", "an elliptic-curve private key"),
    ("rsa -b 2048", "an RSA private key"),
])  # fmt: skip
def test_keys_of_ssh_keygen_are_read(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "id"
    run("ssh-keygen", "-q", "-t", *kind.split(), "-N", "", "-f", str(path))
    (private,) = read(path.read_bytes())
    assert summarise_object(private).text == words
    (public,) = read(path.with_suffix(".pub").read_bytes())
    assert summarise_object(public).text == words.replace("private", "public")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_encrypted_openssh_key_asks_for_its_password(tmp_path: Path) -> None:
    path = tmp_path / "id"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "hunter2", "-f", str(path))
    with pytest.raises(PasswordRequired):
        read(path.read_bytes())
