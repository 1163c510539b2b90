"""TLS contexts: which certificates of servers are trusted, and the client's own certificate."""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import urllib3

from .connection import ConnectionSettings, PEMPair, PKCS12File
from .errors import ClientWarning, InvalidSettings


def make_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """A context for the settings. (A pinned certificate is compared by the pool.) Raises InvalidSettings."""
    context = _CheckedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if settings.cipher_suites is not None:
        context.restrict(settings.cipher_suites)
    if settings.verified_cert is not None:
        _trust_nobody_else(context)  # the certificate itself is compared
    elif settings.accept_invalid_certs:
        warnings.warn(
            "accept_invalid_certs: anybody on the way can read and change what is sent",
            ClientWarning,
            stacklevel=4,
        )
        # urllib3 would say it again with each connection, and has no other way to be told.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        _trust_nobody_else(context)
    elif settings.ca_file is not None:
        _load_authorities(context, settings.ca_file)
    else:
        context.load_default_certs()
    if settings.client_certificate is not None:
        _load_client_certificate(context, settings.client_certificate)
    return context


def fingerprint(pem: str) -> str:
    """The SHA-256 of the first certificate in the text, in hexadecimal. Raises InvalidSettings."""
    _, begin, rest = pem.partition("-----BEGIN CERTIFICATE-----")
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f"{begin}{body}{end}")).hexdigest()
    except ValueError:
        raise InvalidSettings(
            "verified_cert is no certificate in PEM: it begins with -----BEGIN CERTIFICATE-----"
        ) from None


class _CheckedContext(ssl.SSLContext):
    """Refuses a connection whose cipher suite is not one of those that were named.

    `set_ciphers` is only for TLS 1.2, and until Python 3.15 nothing sets the suites of TLS 1.3. So the suite that was
    agreed on is compared before anything is sent over the connection.
    """

    _permitted: frozenset[str] = frozenset()

    def restrict(self, cipher_suites: str) -> None:
        """Allow these suites alone. cipher_suites: OpenSSL's names, separated by colons, commas or spaces."""
        names = cipher_suites.replace(",", ":").replace(" ", ":").split(":")
        self._permitted = frozenset(filter(None, names))
        older = ":".join(sorted(name for name in self._permitted if not name.startswith("TLS_")))
        if older:
            try:
                self.set_ciphers(older)
            except ssl.SSLError:
                raise InvalidSettings("cipher_suites has none that OpenSSL knows") from None
        if not any(name.startswith("TLS_") for name in self._permitted):
            self.maximum_version = ssl.TLSVersion.TLSv1_2
        elif not older:
            self.minimum_version = ssl.TLSVersion.TLSv1_3

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(*args, **kwargs)
        agreed = wrapped.cipher()
        if self._permitted and (agreed is None or agreed[0] not in self._permitted):
            wrapped.close()
            raise ssl.SSLError("the server chose a cipher suite that cipher_suites does not name")
        return wrapped


def _trust_nobody_else(context: ssl.SSLContext) -> None:
    """Trust no authority, because the server's certificate is compared directly."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _check_readable("the CA file", path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise InvalidSettings(f"the CA file has no certificate in PEM: {path}") from None


def _load_client_certificate(context: ssl.SSLContext, certificate: PEMPair | PKCS12File) -> None:
    if isinstance(certificate, PEMPair):
        _check_readable("the client certificate", certificate.certificate)
        _check_readable("the key of the client certificate", certificate.key)
        try:
            context.load_cert_chain(
                certificate.certificate, certificate.key, lambda: certificate.password or ""
            )
        except (ssl.SSLError, ValueError, OSError):
            raise InvalidSettings(
                "the client certificate and its key cannot be used: are they PEM, of one another, "
                "and is the password right?"
            ) from None
        return
    with _private_file(_pem_of(certificate)) as path:
        context.load_cert_chain(path)


def _pem_of(file: PKCS12File) -> bytes:
    """The key and the certificates of the file. Raises InvalidSettings."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        pkcs12,
    )

    _check_readable("the client certificate", file.path)
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(
            file.path.read_bytes(), file.password.encode() if file.password is not None else None
        )
    except ValueError:
        raise InvalidSettings(
            "the client certificate is no PKCS#12 file, or its password is wrong"
        ) from None
    if key is None or certificate is None:
        raise InvalidSettings("the PKCS#12 file lacks the certificate or its key")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *chain))


@contextmanager
def _private_file(content: bytes) -> Iterator[str]:
    """The path of a file that exists only during the block, because `ssl` takes keys from files alone.

    On Linux it is in memory and no other process has it; elsewhere it is a temporary file with mode 0600.
    """
    if sys.platform == "linux":
        descriptor = os.memfd_create("kms_tornado", os.MFD_CLOEXEC)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
    else:
        with NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name


def _check_readable(subject: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as exc:
        raise InvalidSettings(f"{subject} cannot be read: {path}: {exc.strerror}") from None
