"""ClientProfile: behaviour that a kind of client expects where the specification leaves room, or is ignored.

There is one profile for each kind of client, which the service chooses and the `Call` carries. Operations
read single fields and never ask which client they serve, so that a further kind of client needs nothing but
a further profile.

`kmip.ttlv.Dialect` decides how requests and answers are spelled in JSON (names, hexadecimal, null). The
section names beside the fields are those of ``docs/dialects.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import (
    BadCryptographicParameters,
    InvalidMessage,
    KMIPError,
    MissingInitializationVector,
    TagLengthFailure,
)
from ...kmip.enums import BlockCipherMode, EncodingOption, KeyFormatType
from ...kmip.structures import CryptographicParameters
from ...kmip.versions import SUPPORTED_VERSIONS, ProtocolVersion


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """One kind of client.

    Life cycle (KMIP 2.1 §4.57; "Life cycle"):

    - activates_new_objects: an object without an Activation Date is Active at once, not Pre-Active.

    Encrypt and Decrypt ("Ciphers"):

    - returns_given_iv: the answer repeats an IV that came with the request, not only a new one.
    - missing_iv_error: raised where the request must have an IV and has none.
    - impossible_tag_error: raised for an authentication tag of a length that no cipher has.
    - has_tag_behind_data: the authentication tag stands at the end of the ciphertext, and has no field.

    Keys that are given out ("What an answer may contain"):

    - attributes_in_key_value: a KeyValue holds attributes, by which the client chooses its parser.
    - default_symmetric_format: of a symmetric key where the request names none; None: as registered.
    - key_pairs_in_der: the keys of a new pair on a curve are PKCS#8 and X.509, not transparent.

    Wrapped keys ("Operations of the published clients", "Enumerations"):

    - default_encoding_option: whether TTLV or bare octets are wrapped, unless the request says.
    - nist_key_wrap: the mode that the client means by NISTKeyWrap.
    - default_wrapping_parameters: for a new key that is stored wrapped; None: the wrapping key's own.
    - returns_wrapping_parameters: KeyWrappingData has more than the wrapping key's identifier.
    - kmip1_version: attributes that are wrapped with a key stand as in this version of KMIP 1; None: as in KMIP 2.
    """

    activates_new_objects: bool
    returns_given_iv: bool
    missing_iv_error: type[KMIPError]
    impossible_tag_error: type[KMIPError]
    has_tag_behind_data: bool
    attributes_in_key_value: bool
    default_symmetric_format: KeyFormatType | None
    key_pairs_in_der: bool
    default_encoding_option: EncodingOption
    nist_key_wrap: BlockCipherMode
    default_wrapping_parameters: CryptographicParameters | None
    returns_wrapping_parameters: bool
    kmip1_version: ProtocolVersion | None


#: A bare operation, without a RequestMessage: the published 4.x clients cosmian_kms and
#: cloudproof_kms_js. They never call Activate, fail to parse most of KeyWrappingData, and mean RFC 5649
#: by NISTKeyWrap.
BARE_OPERATION = ClientProfile(
    activates_new_objects=True,
    returns_given_iv=True,
    missing_iv_error=MissingInitializationVector,
    impossible_tag_error=BadCryptographicParameters,
    has_tag_behind_data=False,
    attributes_in_key_value=True,
    default_symmetric_format=KeyFormatType.RAW,
    key_pairs_in_der=True,
    default_encoding_option=EncodingOption.NO_ENCODING,
    nist_key_wrap=BlockCipherMode.AES_KEY_WRAP_PADDING,
    default_wrapping_parameters=CryptographicParameters(BlockCipherMode.AES_KEY_WRAP_PADDING),
    returns_wrapping_parameters=False,
    kmip1_version=None,
)

#: A RequestMessage of KMIP 2.0 or 2.1: as the specification and its profile test cases demand.
MESSAGE_2 = ClientProfile(
    activates_new_objects=False,
    returns_given_iv=False,
    missing_iv_error=InvalidMessage,  # OASIS cases CS-BC-M-11 to CS-BC-M-13
    impossible_tag_error=TagLengthFailure,  # CS-BC-M-GCM-1 and CS-BC-M-CHACHA20POLY1305-1
    has_tag_behind_data=False,
    attributes_in_key_value=False,
    default_symmetric_format=None,
    key_pairs_in_der=False,
    default_encoding_option=EncodingOption.TTLV_ENCODING,
    nist_key_wrap=BlockCipherMode.NIST_KEY_WRAP,
    default_wrapping_parameters=None,
    returns_wrapping_parameters=True,
    kmip1_version=None,
)

_V13, _V14 = ProtocolVersion(1, 3), ProtocolVersion(1, 4)

#: The field of an authentication tag came with 1.4, the transparent format of keys on curves with 1.3.
_MESSAGES: Mapping[ProtocolVersion, ClientProfile] = {
    version: dataclasses.replace(
        MESSAGE_2,
        has_tag_behind_data=version < _V14,
        key_pairs_in_der=version < _V13,
        kmip1_version=version,
    )
    if version.is_kmip1
    else MESSAGE_2
    for version in SUPPORTED_VERSIONS
}


def choose_message_profile(version: ProtocolVersion) -> ClientProfile:
    """The profile of a client that sends messages of this version, which is supported."""
    return _MESSAGES[version]
