"""Refusals of an operation: the classes know their result reason (KMIP 2.1 §11.46)."""

from __future__ import annotations

from typing import ClassVar

from .base import KMSError


class KMIPError(KMSError):
    """An operation failed; the caller gets a Result Reason and one line of text.

    reason: the name as KMIP 2.1 §11.46 writes it ("Item Not Found").
    """

    reason: ClassVar[str] = "General Failure"

    @property
    def reason_with_underscores(self) -> str:
        """``Item_Not_Found``: the spelling that published clients show."""
        return self.reason.replace(" ", "_")


class GeneralFailure(KMIPError):
    """The server's own fault, such as a database that refuses writes; the log has the details."""

    reason = "General Failure"


# --- the message --------------------------------------------------------------------------------


class InvalidMessage(KMIPError):
    """The request is not JSON, not TTLV, or not an operation of KMIP."""

    reason = "Invalid Message"


class InvalidField(KMIPError):
    reason = "Invalid Field"


class InvalidObjectType(KMIPError):
    """There is no such wrapping: by an object that is no key, or of an object that is none."""

    reason = "Invalid Object Type"


class MissingData(KMIPError):
    reason = "Missing Data"


class OperationNotSupported(KMIPError):
    reason = "Operation Not Supported"


class FeatureNotSupported(KMIPError):
    reason = "Feature Not Supported"


class UnsupportedProtocolVersion(KMIPError):
    reason = "Unsupported Protocol Version"


class UnknownMessageExtension(KMIPError):
    reason = "Unknown Message Extension"


class AuthenticationNotSuccessful(KMIPError):
    """The message's Credential, the certificate it came with, or both together name no user here."""

    reason = "Authentication Not Successful"


class InvalidCorrelationValue(KMIPError):
    """No stream has this correlation value, or none of this caller, key and operation."""

    reason = "Invalid Correlation Value"


class ServerLimitExceeded(KMIPError):
    """The owner or the request would exceed a limit of the server."""

    reason = "Server Limit Exceeded"


class ResponseTooLarge(KMIPError):
    """The answer is longer than the client accepts or the server sends; nothing was changed."""

    reason = "Response Too Large"


# --- the object ---------------------------------------------------------------------------------


class ItemNotFound(KMIPError):
    """The object does not exist, or the caller may not use it: the two read alike."""

    reason = "Item Not Found"


class ObjectAlreadyExists(KMIPError):
    reason = "Object Already Exists"


class NonUniqueName(KMIPError):
    """The object, or another one of the same owner, already has the Name."""

    reason = "Non Unique Name Attribute"


class PermissionDenied(KMIPError):
    reason = "Permission Denied"


class WrongKeyLifecycleState(KMIPError):
    reason = "Wrong Key Lifecycle State"


class IncompatibleCryptographicUsageMask(KMIPError):
    reason = "Incompatible Cryptographic Usage Mask"


class UsageLimitExceeded(KMIPError):
    """Fewer units are left of the key's Usage Limits than the client intends to use, or asks for."""

    reason = "Usage Limit Exceeded"


class ObjectDestroyed(KMIPError):
    reason = "Object Destroyed"


class ObjectArchived(KMIPError):
    """The object is archived, and is to be recovered before anything is done with it."""

    reason = "Object Archived"


class SensitiveObject(KMIPError):
    """A Sensitive object leaves the server only wrapped."""

    reason = "Sensitive"


class NotExtractable(KMIPError):
    """An object that is not Extractable never leaves the server."""

    reason = "Not Extractable"


# --- its attributes -----------------------------------------------------------------------------


class InvalidAttribute(KMIPError):
    reason = "Invalid Attribute"


class InvalidAttributeValue(KMIPError):
    reason = "Invalid Attribute Value"


class InvalidDataType(KMIPError):
    """The attribute is of a type that cannot be adjusted in the way that is asked for."""

    reason = "Invalid Data Type"


class NumericRange(KMIPError):
    """The adjusted number would not fit into its type."""

    reason = "Numeric Range"


class AttributeReadOnly(KMIPError):
    """Only the server sets the attribute, or it can no longer be changed."""

    reason = "Attribute Read Only"


class AttributeSingleValued(KMIPError):
    """The attribute can have a single value, and already has it."""

    reason = "Attribute Single Valued"


class MultiValuedAttribute(KMIPError):
    """The request does not say which of the attribute's values is meant."""

    reason = "Multi Valued Attribute"


class AttributeNotFound(KMIPError):
    reason = "Attribute Not Found"


class AttributeInstanceNotFound(KMIPError):
    """The object has the attribute, but not with this value."""

    reason = "Attribute Instance Not Found"


class NotQuantumSafe(KMIPError):
    """The client claims Quantum Safe for a key that is not. OASIS case QS-M-2 expects this reason."""

    reason = "General Failure"


# --- the format of a key ------------------------------------------------------------------------


class MalformedKey(InvalidField):
    """The octets of a key are not in the format that was stated."""


class BadPassword(KMIPError):
    """The password of a PKCS#12 is missing, or not the right one."""

    reason = "Bad Password"


class KeyFormatTypeNotSupported(KMIPError):
    reason = "Key Format Type Not Supported"


class KeyCompressionTypeNotSupported(KMIPError):
    reason = "Key Compression Type Not Supported"


class EncodingOptionRefused(KMIPError):
    """NoEncoding where attributes are to be wrapped with the key (KMIP 1.4 §11.12)."""

    reason = "Encoding Option Error"


class KeyWrapTypeNotSupported(KMIPError):
    reason = "Key Wrap Type Not Supported"


class ProtectionStorageUnavailable(KMIPError):
    reason = "Protection Storage Unavailable"


class PrivateProtectionStorageUnavailable(KMIPError):
    """The same for the private key of a pair."""

    reason = "Private Protection Storage Unavailable"


class PublicProtectionStorageUnavailable(KMIPError):
    """The same for the public key of a pair."""

    reason = "Public Protection Storage Unavailable"


# --- cryptography -------------------------------------------------------------------------------


class CryptographicFailure(KMIPError):
    """A decryption or an unwrapping failed, or a key does not work.

    The text never says which check of a ciphertext failed, so that it cannot serve as an oracle.
    """

    reason = "Cryptographic Failure"


class BadCryptographicParameters(KMIPError):
    """The parameters contradict each other, or those of the key."""

    reason = "Bad Cryptographic Parameters"


class UnsupportedCryptographicParameters(KMIPError):
    reason = "Unsupported Cryptographic Parameters"


class ImpossibleTagLength(BadCryptographicParameters):
    """An authentication tag has a length that no cipher has, as opposed to one that is only not offered here."""


class TagLengthFailure(KMIPError):
    """In a message, a tag has a length that no cipher has.

    The OASIS cases expect this reason (`ImpossibleTagLength`).
    """

    reason = "General Failure"


class MissingInitializationVector(KMIPError):
    reason = "Missing Initialization Vector"


class NonceReused(KMIPError):
    """The client's nonce was used with this key before; a second message under it would expose both."""

    reason = "Bad Cryptographic Parameters"


class WrongNonceSource(KMIPError):
    """The key's nonces come from the server and the client brings one, or the other way round."""

    reason = "Bad Cryptographic Parameters"


class NoncesSpent(KMIPError):
    """The server has made as many nonces for the key as are safe."""

    reason = "Usage Limit Exceeded"
