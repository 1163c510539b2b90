"""The requests of both users, from small pools, so that what one does meets what the other did."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kms_tornado.kmip.attributes import Attributes, with_user_tags
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    State,
    UsageLimitsUnit,
    WrappingMethod,
)
from kms_tornado.kmip.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyMaterialField,
    KeyValue,
    KeyWrappingSpecification,
    SecretData,
    SymmetricKey,
)
from kms_tornado.kmip.payloads import DeriveKeyRequest, ImportRequest
from kms_tornado.kmip.structures import (
    CryptographicParameters,
    DerivationParameters,
    Name,
    UsageLimits,
)

from ..inside import START
from .model import DATES

A, B, M, Op = CryptographicAlgorithm, BlockCipherMode, CryptographicUsageMask, Operation

TAGS = st.sampled_from([(), (), ("a",), ("a", "b")])
NAMES = st.sampled_from([None, None, "payroll"])
MASKS = st.sampled_from(
    [None, M.ENCRYPT | M.DECRYPT, M.ENCRYPT | M.DECRYPT, M.ENCRYPT, M.DERIVE_KEY, M.DERIVE_KEY,
     M.DERIVE_KEY | M.MAC_GENERATE, M.DERIVE_KEY | M.ENCRYPT, M.MAC_GENERATE | M.MAC_VERIFY,
     M.WRAP_KEY | M.UNWRAP_KEY, M.WRAP_KEY | M.UNWRAP_KEY, M.WRAP_KEY | M.UNWRAP_KEY | M.DECRYPT,
     M.UNRESTRICTED]
)  # fmt: skip
#: Seconds from the start, in the order of DATES.
FEW_DATES = st.one_of(
    st.just((None, None, None, None)),
    st.just((None, None, None, None)),
    st.tuples(st.none(), st.none() | st.integers(0, 6), st.none() | st.integers(0, 6), st.none()),
    st.tuples(st.integers(-2, 4), st.none(), st.none(), st.none() | st.integers(4, 8)),
)
LIMITS = st.none() | st.none() | st.tuples(st.integers(0, 64), st.sampled_from(UsageLimitsUnit))
ALGORITHMS = st.sampled_from([A.AES, A.AES, A.AES, A.HMAC_SHA256, A.CHACHA20])
LENGTHS = {A.AES: 32, A.HMAC_SHA256: 32, A.CHACHA20: 32}

_NAMED_MODES = [
    CryptographicParameters(B.GCM),
    CryptographicParameters(B.ECB),
    CryptographicParameters(B.CBC),
    CryptographicParameters(B.CTR),
    CryptographicParameters(B.CBC, PaddingMethod.PKCS5),
]
PARAMETERS = st.none() | st.sampled_from([None, *_NAMED_MODES])
MAC_PARAMETERS = st.sampled_from(
    [None, *(CryptographicParameters(cryptographic_algorithm=each) for each in (A.HMAC_SHA256, A.HMAC_SHA512, A.AES))]
)  # fmt: skip
#: What everybody asks for alike. A number instead means a counter block of a nonce that was seen.
DATA = st.sampled_from([bytes(16), bytes(32), b"a label of 16 b.", b"\0\0\0\1a label of 16 b."]) | st.integers(0, 3)  # fmt: skip
#: True: one that the server told before.
IVS = st.none() | st.sampled_from([None, True, True, b"nonce of 12.", bytes(8), bytes(16), bytes(range(16)), bytes(32)])  # fmt: skip

#: All that is not get, export or decrypt.
WEAK = frozenset(
    {Op.ENCRYPT, Op.SIGN, Op.SIGNATURE_VERIFY, Op.MAC, Op.MAC_VERIFY, Op.DERIVE_KEY, Op.GET_ATTRIBUTES,
     Op.GET_ATTRIBUTE_LIST, Op.ADD_ATTRIBUTE, Op.SET_ATTRIBUTE, Op.MODIFY_ATTRIBUTE, Op.DELETE_ATTRIBUTE,
     Op.ADJUST_ATTRIBUTE, Op.GET_USAGE_ALLOCATION, Op.ARCHIVE, Op.RECOVER,
     Op.CHECK, Op.OBTAIN_LEASE, Op.ACTIVATE, Op.REVOKE, Op.DESTROY, Op.RE_KEY, Op.RE_KEY_KEY_PAIR, Op.LOCATE, Op.IMPORT, Op.REGISTER, Op.CREATE}
)  # fmt: skip
STRONG = frozenset({Op.GET, Op.EXPORT, Op.DECRYPT})
AAD = st.sampled_from([None, None, b"more"])
RIGHTS = st.one_of(
    st.just(WEAK),
    st.just(WEAK - {Op.REVOKE, Op.DESTROY, Op.ACTIVATE}),
    st.sampled_from([frozenset({each}) for each in sorted(WEAK)]),
    st.sets(st.sampled_from(sorted(WEAK)), min_size=1),
)
STRONG_RIGHTS = st.one_of(
    st.just(WEAK | STRONG),
    st.just(frozenset({Op.EXPORT, Op.ENCRYPT})),
    st.sets(st.sampled_from(sorted(STRONG)), min_size=1),
    RIGHTS,
)
METHODS = st.sampled_from([each for each in DerivationMethod if each.name not in {"NIST800_108_F", "NIST800_108_DPI", "ASYMMETRIC_KEY", "AWS_SIGNATURE_VERSION_4"}])  # fmt: skip
ENCODINGS = st.sampled_from([None, None, EncodingOption.TTLV_ENCODING, EncodingOption.NO_ENCODING])
WRAP_MODES = st.sampled_from([None, B.NIST_KEY_WRAP, B.AES_KEY_WRAP_PADDING, B.GCM])

#: (field, value) pairs that somebody might set on a key.
CHANGES = st.one_of(
    st.tuples(st.sampled_from(["sensitive", "extractable"]), st.booleans()),
    st.tuples(st.sampled_from(DATES), st.integers(-2, 12).map(lambda each: START + each)),
    st.tuples(st.just("cryptographic_parameters"), st.sampled_from(_NAMED_MODES)),
    st.sampled_from(
        [
            ("state", State.ACTIVE),
            ("cryptographic_usage_mask", int(M.UNRESTRICTED)),
            ("fresh", True),
            ("always_sensitive", True),
        ]
    ),
    st.tuples(
        st.just("usage_limits"),
        st.builds(UsageLimits, st.integers(0, 99), st.just(99), st.just(UsageLimitsUnit.BYTE)),
    ),
    st.tuples(st.just("names"), st.just(Name("payroll"))),
    st.tuples(st.just("comment"), st.just("a comment")),
)
DELETED = st.sampled_from(
    ["Sensitive", "Extractable", "UsageLimits", "CryptographicUsageMask", "State", "DeactivationDate",
     "ProtectStopDate", "ProcessStartDate", "ActivationDate", "CryptographicParameters", "Name", "Digest"]
)  # fmt: skip


def wanted(
    algorithm: CryptographicAlgorithm = A.AES,
    *,
    mask: int | None = None,
    sensitive: bool = False,
    extractable: bool = True,
    dates: tuple[int | None, ...] = (None,) * 4,
    limit: tuple[int, UsageLimitsUnit] | None = None,
    parameters: CryptographicParameters | None = None,
    tags: tuple[str, ...] = (),
    name: str | None = None,
    uid: str | None = None,
    length: int | None = None,
) -> Attributes:
    """Attributes of a new key. length: in bytes."""
    given = {
        field: None if each is None else START + each
        for field, each in zip(DATES, dates, strict=True)
    }
    attributes = Attributes(
        unique_identifier=uid,
        cryptographic_algorithm=algorithm,
        cryptographic_length=8 * (length or LENGTHS[algorithm]),
        cryptographic_usage_mask=None if mask is None else int(mask),
        cryptographic_parameters=parameters,
        sensitive=sensitive,
        extractable=extractable,
        usage_limits=None if limit is None else UsageLimits(limit[0], 10**6, limit[1]),
        names=() if name is None else (Name(name),),
        **given,
    )
    return with_user_tags(attributes, frozenset(tags)) if tags else attributes


def signing(*, limit: tuple[int, UsageLimitsUnit] | None, tags: tuple[str, ...] = ()) -> Attributes:
    """Attributes of a private key."""
    attributes = Attributes(
        cryptographic_usage_mask=int(M.SIGN),
        sensitive=True,
        usage_limits=None if limit is None else UsageLimits(limit[0], 10**6, limit[1]),
    )
    return with_user_tags(attributes, frozenset(tags)) if tags else attributes


def importing(uid: str, material: bytes, attributes: Attributes, **more: Any) -> ImportRequest:
    return ImportRequest(
        uid,
        ObjectType.SYMMETRIC_KEY,
        attributes=attributes,
        object=SymmetricKey(
            KeyBlock(
                KeyFormatType.RAW,
                key_value=KeyValue(KeyMaterialField(material)),
                cryptographic_algorithm=attributes.cryptographic_algorithm,
                cryptographic_length=8 * len(material),
            )
        ),
        **more,
    )


def deriving(
    bases: tuple[str, ...], method: DerivationMethod, data: bytes, attributes: Attributes
) -> DeriveKeyRequest:
    """iv and salt are zeros where the method takes them, so that two callers derive the same."""
    parameters = {
        DerivationMethod.PBKDF2: DerivationParameters(salt=data, iteration_count=1),
        DerivationMethod.HASH: DerivationParameters(
            CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
        ),
        DerivationMethod.ENCRYPT: DerivationParameters(
            CryptographicParameters(B.CBC), bytes(16), data
        ),
    }.get(method, DerivationParameters(derivation_data=data))
    return DeriveKeyRequest(
        ObjectType.SYMMETRIC_KEY,
        bases,
        derivation_method=method,
        derivation_parameters=parameters,
        attributes=attributes,
    )


def wrapping(by: str, mode: BlockCipherMode | None, encoding: EncodingOption | None) -> Any:
    parameters = None if mode is None else CryptographicParameters(mode)
    return KeyWrappingSpecification(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(by, parameters),
        encoding_option=encoding,
    )


def block_of(held: Any) -> KeyBlock | None:
    """The KeyBlock of an object of an answer, if it has one."""
    return held.key_block if isinstance(held, SymmetricKey | SecretData) else None
