"""RC2 in CBC against RFC 2268 and against other implementations."""

from __future__ import annotations

import subprocess

import pytest

from kms_tornado.crypto.pkcs12.rc2 import decrypt_rc2_cbc


@pytest.mark.parametrize(
    ("key", "ciphertext", "plaintext"),
    [
        pytest.param("88bca90e90875a7f0f79c384627bafb2", "2269552ab0f85ca6", "0000000000000000",
                     id="RFC 2268 §5, 128 bits"),
        pytest.param("ffffffffffffffff", "278b27e42e2f0d49", "ffffffffffffffff",
                     id="RFC 2268 §5, 64 bits"),
        pytest.param("3000000000000000", "30649edf9be7d2c2", "1000000000000001",
                     id="RFC 2268 §5, 64 bits again"),
    ],
)  # fmt: skip
def test_published_vectors(key, ciphertext, plaintext):
    found = decrypt_rc2_cbc(bytes.fromhex(key), bytes(8), bytes.fromhex(ciphertext))
    assert found.hex() == plaintext


@pytest.mark.parametrize(("name", "size"), [("rc2-40-cbc", 5), ("rc2-64-cbc", 8), ("rc2-cbc", 16)])
def test_what_openssl_encrypted_is_decrypted(name, size):
    key, iv, plaintext = bytes(range(7, 7 + size)), bytes(range(8)), bytes(range(256))
    command = ["openssl", "enc", f"-{name}", "-provider", "legacy", "-provider", "default",
               "-nopad", "-K", key.hex(), "-iv", iv.hex()]  # fmt: skip
    done = subprocess.run(command, input=plaintext, capture_output=True, check=True)
    assert decrypt_rc2_cbc(key, iv, done.stdout) == plaintext
