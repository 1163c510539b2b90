"""What wrapping and unwrapping have in common: the named wrapping key, and the scheme that it is used with."""

from __future__ import annotations

import dataclasses

from ...crypto.encryption.key_wrapping import WrappingScheme, choose_wrapping_scheme
from ...domain.key_parameters import bind_parameters
from ...domain.lifecycle import Use
from ...domain.managed_object import ManagedObject
from ...errors import FeatureNotSupported, KeyWrapTypeNotSupported, MissingData
from ...kmip.enums import BlockCipherMode, WrappingMethod
from ...kmip.objects import EncryptionKeyInformation, KeyWrappingData, KeyWrappingSpecification
from ...kmip.structures import CryptographicParameters
from ..common.call import Call

#: Bytes above which wrapping or unwrapping is worth a thread: AES-KW takes a millisecond for them.
OFFLOAD_BYTES = 8 * 1024


def require_encryption_key(
    wrapping: KeyWrappingSpecification | KeyWrappingData,
) -> EncryptionKeyInformation:
    """The EncryptionKeyInformation. Only encryption is supported, without a MAC or signature beside it.

    Raises KeyWrapTypeNotSupported, FeatureNotSupported, MissingData.
    """
    if wrapping.wrapping_method is not WrappingMethod.ENCRYPT:
        raise KeyWrapTypeNotSupported("the WrappingMethod is Encrypt")
    if wrapping.mac_signature_key_information is not None:
        raise FeatureNotSupported("wrapping with a MAC or signature is not supported")
    if wrapping.encryption_key_information is None:
        raise MissingData("EncryptionKeyInformation is missing")
    return wrapping.encryption_key_information


def choose_scheme(
    call: Call, wrapping_key: ManagedObject, information: EncryptionKeyInformation, use: Use
) -> WrappingScheme:
    """The scheme for the parameters of the wrapping key and of the request. The key's parameters are binding.

    Raises BadCryptographicParameters, and UnsupportedCryptographicParameters also where the policy refuses the scheme.
    """
    own, requested = (
        _translate_nist_key_wrap(call, parameters)
        for parameters in (
            wrapping_key.attributes.cryptographic_parameters,
            information.cryptographic_parameters,
        )
    )
    parameters = bind_parameters(own, requested)
    scheme = choose_wrapping_scheme(wrapping_key.attributes.cryptographic_algorithm, parameters)
    call.check_allowed(scheme.technique, use)
    return scheme


def _translate_nist_key_wrap(
    call: Call, parameters: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The parameters, with the mode that this client means by NISTKeyWrap; applied to the key's and the request's."""
    if parameters is None or parameters.block_cipher_mode is not BlockCipherMode.NIST_KEY_WRAP:
        return parameters
    return dataclasses.replace(parameters, block_cipher_mode=call.client.nist_key_wrap)
