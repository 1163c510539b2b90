"""JWK and JWK sets (RFC 7517, RFC 7518 §6, RFC 8037), read and written by joserfc."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey

from ...kmip.enums import CryptographicAlgorithm
from ...kmip.objects import Object, PrivateKey, PublicKey, SymmetricKey
from ...strict_json import loads
from .errors import KeyFileError
from .kmip_objects import (
    determine_algorithm,
    load_asymmetric_key,
    make_private_key,
    make_public_key,
    make_symmetric_key,
    octets_of,
)

_A = CryptographicAlgorithm

#: The KMIP algorithm of an `oct` key, by its `alg` (RFC 7518 §3.1). All others are for AES.
_MAC_ALGORITHMS: Mapping[str, CryptographicAlgorithm] = {
    "HS256": _A.HMAC_SHA256,
    "HS384": _A.HMAC_SHA384,
    "HS512": _A.HMAC_SHA512,
}
_MAC_NAMES = {algorithm: name for name, algorithm in _MAC_ALGORITHMS.items()}

#: The class of an asymmetric key in joserfc, by its algorithm.
_KEY_CLASSES: Mapping[CryptographicAlgorithm, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    _A.RSA: RSAKey,
    _A.EC: ECKey,
    _A.ED25519: OKPKey,
    _A.ED448: OKPKey,
    _A.ECDH: OKPKey,
}


def is_jwk(tree: object) -> bool:
    return isinstance(tree, dict) and ("kty" in tree or isinstance(tree.get("keys"), list))


def read_jwk(
    octets: bytes, symmetric_algorithm: CryptographicAlgorithm | None = None
) -> tuple[Object, ...]:
    """The key, or all keys of a set.

    symmetric_algorithm: for `oct` keys; None where their `alg` states it, or they are AES keys. Raises KeyFileError.
    """
    try:
        tree = loads(octets, max_depth=8)
    except ValueError as exc:
        raise KeyFileError(f"the file is no JSON: {exc}") from None
    if not is_jwk(tree):
        raise KeyFileError("the file is no JWK and no JWK set: it has neither `kty` nor `keys`")
    keys = tree["keys"] if "kty" not in tree else [tree]
    if not keys:
        raise KeyFileError("the JWK set is empty")
    return tuple(
        _read_key(
            key, symmetric_algorithm, f"key {number} of the set" if len(keys) > 1 else "the JWK"
        )
        for number, key in enumerate(keys, 1)
    )


def _read_key(tree: Any, symmetric_algorithm: CryptographicAlgorithm | None, which: str) -> Object:
    try:
        key = JWKRegistry.import_key(tree)
        if isinstance(key, OctKey):
            stated_algorithm = _MAC_ALGORITHMS.get(str(tree.get("alg")))
            return make_symmetric_key(
                key.raw_value, symmetric_algorithm or stated_algorithm or _A.AES
            )
        if isinstance(key, RSAKey | ECKey | OKPKey):
            if key.private_key is not None:
                return make_private_key(key.private_key)
            return make_public_key(key.public_key)
    # The library leaks what its parts raise, for wrong types above all.
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        pass
    raise KeyFileError(f"{which} is malformed, or of a type that is not supported")


def write_jwk(managed: Object, identifier: str | None, *, as_set: bool = False) -> bytes:
    """The JWK. identifier: becomes the `kid`. Raises KeyFileError for what is no key, or has no type in JOSE."""
    tree: dict[str, Any]
    if isinstance(managed, SymmetricKey):
        tree = dict(OctKey.import_key(octets_of(managed)).as_dict(private=True))
        name = _MAC_NAMES.get(managed.key_block.cryptographic_algorithm or _A.AES)
        if name:
            tree["alg"] = name
    elif isinstance(managed, PrivateKey | PublicKey):
        tree = _write_asymmetric_key(managed)
    else:
        raise KeyFileError("a JWK holds a key: export certificates as pem, secret data as raw")
    if identifier:
        tree["kid"] = identifier
    return json.dumps({"keys": [tree]} if as_set else tree, indent=2).encode() + b"\n"


def _write_asymmetric_key(managed: PrivateKey | PublicKey) -> dict[str, Any]:
    native = load_asymmetric_key(managed)
    key_class = _KEY_CLASSES.get(determine_algorithm(native))
    if key_class is None:
        raise KeyFileError("the key is of a type that JWK has no name for: export it as pkcs8-pem")
    try:
        key = key_class(native, native)  # type: ignore[arg-type]
        return dict(key.as_dict(private=isinstance(managed, PrivateKey)))
    except (JoseError, ValueError, KeyError):
        raise KeyFileError(
            "the key is on a curve that JWK has no name for: export it as pkcs8-pem"
        ) from None
