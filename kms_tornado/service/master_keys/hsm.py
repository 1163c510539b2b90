"""A master key that a hardware security module (HSM) gives, named by a PKCS #11 URI (RFC 7512).

The module holds a secret key that never leaves it, and that makes HMACs. The master key is the HMAC of a fixed text under
it, so it is nowhere stored: each start asks the module for it again, once. In memory it is as any master key: sealing
a data key in the module would cost a millisecond for each request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from ...crypto.material import KeyMaterial
from ...crypto.sealing.envelope import MasterKey
from ...errors import ConfigurationError, Unavailable

SCHEME = "pkcs11:"

_TEXT = b"kms_tornado master key of a PKCS #11 token, 1"
_KNOWN = frozenset(
    {"token", "serial", "object", "id", "type", "module-path", "pin-source", "pin-value"}
)


@dataclass(frozen=True, slots=True)
class HSMKey:
    """The key that a PKCS #11 URI names.

    token, serial: of the module. object, id: of the key in it.
    """

    module: str
    token: str | None = None
    serial: bytes | None = None
    object: str | None = None
    id: bytes | None = None
    pin_file: Path | None = None
    pin: str | None = field(default=None, repr=False)


def is_hsm_uri(file: Path | str) -> bool:
    return str(file).startswith(SCHEME)


def parse_uri(uri: str) -> HSMKey:
    """The key that the URI names.

    Raises ConfigurationError, which does not repeat the URI: there may be a PIN in it.
    """
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    attributes: dict[str, str] = {}
    for part in (*path.split(";"), *(query.split("&") if query else ())):
        name, equals, value = part.partition("=")
        if not equals or name not in _KNOWN or name in attributes:
            raise _refuse(
                f"the attribute {name[:40]!r} is unknown, twice there, or without a value"
            )
        attributes[name] = value
    if "module-path" not in attributes:
        raise _refuse("module-path= is missing: the library of the module")
    if not {"object", "id"} & attributes.keys():
        raise _refuse("object= or id= is missing: which key it is")
    if attributes.get("type", "secret-key") != "secret-key":
        raise _refuse("type= is not secret-key")
    if {"pin-source", "pin-value"} <= attributes.keys():
        raise _refuse("pin-source= and pin-value= are both there")
    return _make_key(attributes)


def _make_key(attributes: dict[str, str]) -> HSMKey:
    source = attributes.get("pin-source")
    pin = attributes.get("pin-value")
    return HSMKey(
        module=unquote(attributes["module-path"]),
        token=_unquote(attributes.get("token")),
        serial=None if "serial" not in attributes else unquote(attributes["serial"]).encode(),
        object=_unquote(attributes.get("object")),
        id=None if "id" not in attributes else unquote_to_bytes(attributes["id"]),
        pin_file=None if source is None else Path(re.sub(r"^file:(//)?", "", unquote(source))),
        pin=_unquote(pin),
    )


def load_hsm_key(key: HSMKey, pin: str | None) -> MasterKey:
    """Compute the master key with the module.

    pin: of the module's user; None where it needs none.
    Raises ConfigurationError, and Unavailable.
    """
    try:
        # Imported here: it needs an extra. Loaded in the process that serves: a module that was loaded
        # before a fork may do anything after it.
        import pkcs11
    except ImportError as exc:
        text = "a PKCS #11 URI needs an extra: pip install 'kms-tornado[hsm]'"
        raise ConfigurationError(text, "master_key_file") from exc
    try:
        module = pkcs11.lib(key.module)
    except (pkcs11.exceptions.PKCS11Error, OSError, RuntimeError) as exc:
        raise _refuse(f"the module {key.module} cannot be loaded") from exc
    try:
        token = module.get_token(token_label=key.token, token_serial=key.serial)
        with token.open(user_pin=pin) as session:
            secret: Any = session.get_key(
                object_class=pkcs11.ObjectClass.SECRET_KEY, label=key.object, id=key.id
            )
            if secret.key_type != pkcs11.KeyType.GENERIC_SECRET:
                raise _refuse("the key is no generic secret, which makes HMACs")
            derived = secret.sign(_TEXT, mechanism=pkcs11.Mechanism.SHA256_HMAC)
    except pkcs11.exceptions.PKCS11Error as exc:
        raise _translate(exc) from None
    return MasterKey(KeyMaterial(bytes(derived)))


#: What only a person mends, by the name of the library's exception; all else may pass.
_FAULTS = {
    "NoSuchToken": "the module has no such token",
    "MultipleTokensReturned": "the module has several tokens; name one with token= or serial=",
    "NoSuchKey": "the token has no such key; without a PIN, private ones are not seen",
    "MultipleObjectsReturned": "the token has several such keys; name one with object= and id=",
    "PinIncorrect": "the PIN is wrong",
    "PinInvalid": "the PIN is wrong",
    "PinLenRange": "the PIN is wrong",
    "PinLocked": "the PIN is locked",
    "PinExpired": "the PIN has expired",
    "UserPinNotInitialized": "the token has no PIN yet",
    "KeyFunctionNotPermitted": "the key may not make HMACs (CKA_SIGN)",
    "MechanismInvalid": "the module makes no HMAC with SHA-256",
}


def _translate(error: Exception) -> ConfigurationError | Unavailable:
    name = type(error).__name__
    if name in _FAULTS:
        return _refuse(_FAULTS[name])
    return Unavailable("the module with the master key does not answer", detail=name)


def _refuse(text: str) -> ConfigurationError:
    return ConfigurationError(f"PKCS #11: {text}", "master_key_file")


def _unquote(text: str | None) -> str | None:
    return None if text is None else unquote(text)
