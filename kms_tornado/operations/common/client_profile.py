"""ClientProfile: what each kind of client expects where the specification leaves room, or a client differs.

There is one row a kind of client, chosen once by the service and carried by the `Call`. An operation
asks the field that it is about and never which client it has before it, so that a further kind of
client is a further row.

How requests and answers are spelled in JSON (names, hexadecimal, null) is not decided here but by
`kmip.ttlv.Dialect`. Section names of ``docs/dialects.md`` stand beside the fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidMessage, KMIPError, MissingInitializationVector
from ...kmip.enums import BlockCipherMode, EncodingOption, KeyFormatType
from ...kmip.structures import CryptographicParameters


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """One kind of client.

    Life cycle (KMIP 2.1 §4.57; "Life cycle"):

    - activates_new_objects: an object without an Activation Date is Active at once, not Pre-Active.

    Encrypt and Decrypt ("Ciphers"):

    - returns_given_iv: the answer repeats an IV that came with the request, not only a new one.
    - missing_iv_error: raised where an IV has to come with the request.

    Keys that are given out ("What an answer may contain"):

    - attributes_in_key_value: a KeyValue holds the attributes that the client chooses its parser by.
    - default_symmetric_format: of a symmetric key where the request names none; None: as registered.
    - key_pairs_in_der: the keys of a new pair on a curve are PKCS#8 and X.509, not transparent.

    Wrapped keys ("Operations of the published clients", "Enumerations"):

    - default_encoding_option: what is wrapped where the request does not say.
    - nist_key_wrap: the cipher that NISTKeyWrap means.
    - default_wrapping_parameters: for a new key that is stored wrapped; None: the wrapping key's own.
    - returns_wrapping_parameters: KeyWrappingData tells more than the wrapping key's identifier.
    """

    activates_new_objects: bool
    returns_given_iv: bool
    missing_iv_error: type[KMIPError]
    attributes_in_key_value: bool
    default_symmetric_format: KeyFormatType | None
    key_pairs_in_der: bool
    default_encoding_option: EncodingOption
    nist_key_wrap: BlockCipherMode
    default_wrapping_parameters: CryptographicParameters | None
    returns_wrapping_parameters: bool


#: An operation alone, without a RequestMessage: the published 4.x clients cosmian_kms and
#: cloudproof_kms_js. They never activate, stumble over most of KeyWrappingData, and mean RFC 5649
#: by NISTKeyWrap.
BARE_OPERATION = ClientProfile(
    activates_new_objects=True,
    returns_given_iv=True,
    missing_iv_error=MissingInitializationVector,
    attributes_in_key_value=True,
    default_symmetric_format=KeyFormatType.RAW,
    key_pairs_in_der=True,
    default_encoding_option=EncodingOption.NO_ENCODING,
    nist_key_wrap=BlockCipherMode.AES_KEY_WRAP_PADDING,
    default_wrapping_parameters=CryptographicParameters(BlockCipherMode.AES_KEY_WRAP_PADDING),
    returns_wrapping_parameters=False,
)

#: A RequestMessage of KMIP 2.0 or 2.1: as the specification and its profile cases have it.
MESSAGE_2 = ClientProfile(
    activates_new_objects=False,
    returns_given_iv=False,
    missing_iv_error=InvalidMessage,  # OASIS cases CS-BC-M-11 to CS-BC-M-13
    attributes_in_key_value=False,
    default_symmetric_format=None,
    key_pairs_in_der=False,
    default_encoding_option=EncodingOption.TTLV_ENCODING,
    nist_key_wrap=BlockCipherMode.NIST_KEY_WRAP,
    default_wrapping_parameters=None,
    returns_wrapping_parameters=True,
)
