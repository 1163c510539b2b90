"""The keys of a configuration file, their types, and which of their values are secret.

A literal table, with which the page of the documentation is compared. Every key is one of cKMS's unless it says
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

#: The types of values, in the words of TOML.
KeyType = Literal["string", "boolean", "list of strings", "integer"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. old_name: its name in older files; it is read, with a warning."""

    type: KeyType = "string"
    old_name: str | None = None


_STRING, _BOOLEAN, _INTEGER = Key(), Key("boolean"), Key("integer")
_STRINGS = Key("list of strings")

#: The keys of each table. The name of the outermost one is empty.
KEYS: Final[Mapping[str, Mapping[str, Key]]] = {
    "": {
        "print_json": _BOOLEAN,
        "vendor_id": _STRING,
    },
    "http_config": {
        "server_url": _STRING,
        "access_token": _STRING,
        "accept_invalid_certs": _BOOLEAN,
        "verified_cert": _STRING,
        "ca_file": _STRING,  # ours
        "tls_client_pkcs12_path": Key(old_name="ssl_client_pkcs12_path"),
        "tls_client_pkcs12_password": Key(old_name="ssl_client_pkcs12_password"),
        "tls_client_pem_cert_path": Key(old_name="ssl_client_pem_cert_path"),
        "tls_client_pem_key_path": Key(old_name="ssl_client_pem_key_path"),
        "custom_headers": _STRINGS,
        "cipher_suites": _STRING,
    },
    "http_config.proxy_params": {
        "url": _STRING,
        "exclusion_list": _STRINGS,
        "basic_auth_username": _STRING,
        "basic_auth_password": _STRING,
        "custom_auth_header": _STRING,
    },
    "http_config.oauth2_conf": {
        "client_id": _STRING,
        "client_secret": _STRING,
        "authorize_url": _STRING,
        "token_url": _STRING,
        "scopes": _STRINGS,
        "issuer": _STRING,  # ours, as all below
        "device_authorization_url": _STRING,
        "token": _STRING,
        "audience": _STRING,
        "resource": _STRING,
        "redirect_port": _INTEGER,
        "dpop": _STRING,
    },
}

#: What Cosmian's other programs read in the same file. They are no mistake, so nothing is said of them.
OF_OTHER_PROGRAMS: Final = frozenset(
    {"gmail_api_conf", "findex_config", "pkcs11_use_pin_as_access_token"}
)

#: Older files of Cosmian have the whole configuration one table deeper.
OLD_ROOT: Final = "kms_config"

_TYPES: Final[Mapping[KeyType, type]] = {
    "string": str,
    "boolean": bool,
    "list of strings": list,
    "integer": int,
}

#: How secrets are called in tables that are not ours.
_SECRET_NAME = re.compile(r"(token|password|secret|private_key|auth_header)$", re.IGNORECASE)
_SECRET_URL = re.compile(r"[a-z]+://[^/]*:[^/]*@", re.IGNORECASE)
_SECRET_HEADER = re.compile(r"auth|cookie|token|secret|key|password|session", re.IGNORECASE)


def is_of_type(value: object, key_type: KeyType) -> bool:
    """Whether the key accepts this value from the file."""
    if type(value) is not _TYPES[key_type]:
        return False
    return not isinstance(value, list) or all(isinstance(item, str) for item in value)


def holds_secret(document: Mapping[str, Any]) -> bool:
    """Whether a person who reads the file learns a secret: the value of a known key, or of one with a telling name.

    A URL with a password and a header for authentication are secrets, too.
    """
    return any(_is_secret(name, value) for name, value in _texts("", document))


def _texts(name: str, value: object) -> Iterator[tuple[str, str]]:
    """All texts that are not empty, each with the name of its key."""
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from _texts(member, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(name, item)
    elif isinstance(value, str) and value:
        yield name, value


def _is_secret(name: str, text: str) -> bool:
    if name == "custom_headers":
        return _SECRET_HEADER.search(text.partition(":")[0]) is not None
    if name == "token" and text in {"access", "id"}:
        return False  # oauth2_conf.token says which of the issuer's two is sent
    return _SECRET_NAME.search(name) is not None or _SECRET_URL.match(text) is not None
