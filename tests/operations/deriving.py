"""Keys and secrets from which users derive, and how they ask for it."""

from __future__ import annotations

from ..kmip_items import attributes, name, number, octets, structure, uid

KEY = bytes(range(32))
DERIVE = 0x200


def parameters(*items):
    return structure("DerivationParameters", *items)


def cryptographic(**items):
    tags = {
        "hash": "HashingAlgorithm",
        "algorithm": "CryptographicAlgorithm",
        "mode": "BlockCipherMode",
        "padding": "PaddingMethod",
    }
    return structure("CryptographicParameters", *(name(tags[k], v) for k, v in items.items()))


def data(value):
    return octets("DerivationData", value)


def wanted(*bases, method="HMAC", given=(), kind="SymmetricKey", bits=256, more=()):
    algorithm = "AES" if kind == "SymmetricKey" else None
    return [
        name("ObjectType", kind),
        *map(uid, bases),
        name("DerivationMethod", method),
        parameters(*given),
        attributes(*more, algorithm=algorithm, bits=bits),
    ]


def derived(user, *bases, **how):
    return user.do("DeriveKey", *wanted(*bases, **how)).uid


def a_key(user, key=KEY, mask=DERIVE, *more):
    return user.import_key("", key, number("CryptographicUsageMask", mask), *more)


def a_secret(user, value, *more):
    return user.do(
        "Register",
        name("ObjectType", "SecretData"),
        structure("Attributes", number("CryptographicUsageMask", DERIVE), *more),
        structure(
            "Object",
            name("SecretDataType", "Password"),
            structure(
                "KeyBlock",
                name("KeyFormatType", "Raw"),
                structure("KeyValue", structure("KeyMaterial", octets("ByteString", value))),
            ),
        ),
    ).uid


def attribute(user, key, tag):
    return user.do("GetAttributes", uid(key), name("AttributeReference", tag)).get(
        "Attributes", tag
    )
