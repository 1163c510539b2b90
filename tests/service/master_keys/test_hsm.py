"""A master key that a module gives: SoftHSM, where it is installed (`apt-get install softhsm2`)."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import MasterKey
from kms_tornado.errors import ConfigurationError
from kms_tornado.options import parse
from kms_tornado.service.master_keys import hsm
from kms_tornado.service.master_keys.hsm import HSMKey, parse_uri

from ...rows import each_row
from ...server import NO_AUTH, check_refused, environment, run, serving

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
SECRET = bytes(range(32))
PIN = "hunter2"

MAKE_KEYS = f"""
import sys, pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
token = pkcs11.lib(sys.argv[1]).get_token(token_label="kms token")
with token.open(user_pin={PIN!r}, rw=True) as session:
    for label, kind, value in (
        ("first", KeyType.GENERIC_SECRET, {SECRET!r}),
        ("second", KeyType.GENERIC_SECRET, bytes(32)),
        ("aes", KeyType.AES, bytes(32)),
    ):
        session.create_object({{
            Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: kind, Attribute.VALUE: value,
            Attribute.LABEL: label, Attribute.TOKEN: True, Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True,
        }})
"""


class Token:
    """A token of SoftHSM in a directory. variables: by which the module finds it."""

    def __init__(self, module: str, directory: Path) -> None:
        self.module = module
        self.directory = directory
        self.pin = directory / "pin"
        (directory / "tokens").mkdir()
        configuration = directory / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {directory}/tokens\n")
        self.variables = {"SOFTHSM2_CONF": str(configuration)}
        self.pin.touch(0o600)
        self.pin.write_text(f"{PIN}\n")
        words = ["--init-token", "--free", "--label", "kms token", "--so-pin", "1234", "--pin", PIN]
        self._run(["softhsm2-util", *words])
        self._run([sys.executable, "-c", MAKE_KEYS, module])

    def _run(self, command: list[str]) -> None:
        subprocess.run(
            command, env=environment(**self.variables), check=True, stdout=subprocess.DEVNULL
        )

    def uri(self, label: str = "first", *, token: str = "kms%20token", pin: str = "") -> str:
        pin = pin or f"pin-source=file:{self.pin}"
        return f"pkcs11:token={token};object={label}?module-path={self.module}&{pin}"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    module = next(filter(os.path.exists, MODULES), None)
    if module is None:
        pytest.skip("SoftHSM is not installed")
    pytest.importorskip("pkcs11")
    return Token(module, tmp_path_factory.mktemp("hsm"))


def options(*uris: str) -> tuple[str, ...]:
    return (*NO_AUTH, *(word for uri in uris for word in ("--master-key-file", uri)))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_starts_and_starts_again_with_the_key_of_the_module(
    token: Token, tmp_path: Path, workers: str
) -> None:
    argv = (*options(token.uri()), "--workers", workers)
    with serving(*argv, cwd=tmp_path, env=token.variables) as server:
        uid = server.client.create("x")
        key = server.client.get_key("x", uid).body
        assert PIN not in server.log
    with serving(*argv, cwd=tmp_path, env=token.variables) as server:
        assert server.client.get_key("x", uid).body == key
    assert not (tmp_path / "kms-data/master.key").exists()
    finished = run("backup", "b", *argv, cwd=tmp_path, **token.variables)
    derived = hmac.new(SECRET, hsm._TEXT, hashlib.sha256).digest()
    assert f"under the master key {MasterKey(KeyMaterial(derived)).key_id.hex()}" in finished.stdout


def test_key_is_replaced_by_another_one_of_the_module(token: Token, tmp_path: Path) -> None:
    first, second = token.uri("first"), token.uri("second")
    with serving(*options(first), cwd=tmp_path, env=token.variables) as server:
        uid = server.client.create("x")
        key = server.client.get_key("x", uid).body
    rewrapped = run("rewrap", *options(second, first), cwd=tmp_path, **token.variables)
    assert rewrapped.returncode == 0, rewrapped.stderr
    with serving(*options(second), cwd=tmp_path, env=token.variables) as server:
        assert server.client.get_key("x", uid).body == key
    line = check_refused(
        run("rotate-master-key", *options(second), cwd=tmp_path, **token.variables), 2
    )
    assert "the key is in a module: make another one there" in line


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        pytest.param(lambda t: t.uri(pin="pin-value=wrong"), "the PIN is wrong", id="wrong PIN"),
        pytest.param(lambda t: t.uri("gone"), "the token has no such key", id="key gone"),
        pytest.param(lambda t: t.uri(token="gone"), "has no such token", id="token gone"),
        pytest.param(lambda t: t.uri("aes"), "is no generic secret", id="another kind of key"),
        pytest.param(
            lambda t: t.uri().replace(t.module, "/no/module.so"), "cannot be loaded", id="no module"
        ),
        pytest.param(
            lambda t: t.uri(pin="pin-source=/no/pin"), "/no/pin: no such file", id="no PIN file"
        ),
    ],
)  # fmt: skip
def test_key_that_cannot_be_had_ends_the_start(
    token: Token, tmp_path: Path, uri: object, words: str
) -> None:
    assert callable(uri)
    argv = (*options(uri(token)), "--port", "0")
    line = check_refused(run(*argv, cwd=tmp_path, **token.variables), 2)
    assert words in line
    assert "wrong" not in line.replace("the PIN is wrong", "")


def test_uri_is_read_as_rfc_7512_has_it() -> None:
    uri = "pkcs11:token=My%20token;serial=DECC0401648;object=k%3b;id=%01%ff;type=secret-key?module-path=/m&pin-value=a%26b"
    assert parse_uri(uri) == HSMKey("/m", "My token", b"DECC0401648", "k;", b"\1\xff", None, "a&b")
    for source in ("file:/etc/pin", "file:///etc/pin", "/etc/pin"):
        key = parse_uri(f"pkcs11:object=k?module-path=/m&pin-source={source}")
        assert key.pin_file == Path("/etc/pin")
    assert "a&b" not in repr(parse_uri(uri))


@each_row(
    "uri",
    [
        "pkcs11:",
        "pkcs11:object=k",
        "pkcs11:token=t?module-path=/m",
        "pkcs11:object=k;object=l?module-path=/m",
        "pkcs11:object=k;colour=red?module-path=/m",
        "pkcs11:object=k;type=private?module-path=/m",
        "pkcs11:object?module-path=/m",
        "pkcs11:object=k?module-path=/m&pin-value=s3cret&pin-source=/p",
    ],
)
def test_other_uris_are_refused_without_being_shown(uri: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_uri(uri)
    assert caught.value.field == "master_key_file"
    assert "s3cret" not in str(caught.value)


def test_pin_in_the_configuration_is_not_shown() -> None:
    uri = "pkcs11:object=k?pin-value=s3cret&module-path=/m"
    parsed = parse([*NO_AUTH, "--master-key-file", uri], {})
    [shown] = [each.value for each in parsed.effective if each.name == "master-key-file"]
    assert shown == '["pkcs11:object=k?pin-value=***&module-path=/m"]'
