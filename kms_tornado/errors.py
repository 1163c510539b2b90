"""The exceptions of the package. A class that only one module raises may be derived there instead.

    KMSError
    ├─ ConfigurationError        start-up only: the option, where it was set, what is wrong
    ├─ AuthenticationError       refuses a request; knows its status and its RFC 6750 §3.1 code
    │  ├─ MissingToken           401, a challenge without an error code
    │  ├─ InvalidRequest         400 invalid_request: the header, not the token, is malformed
    │  ├─ ForeignPage            403, only with --insecure-no-auth
    │  ├─ UnknownUser            403, the embedding application does not know whom the token names
    │  ├─ InvalidToken           401 invalid_token
    │  │  └─ MalformedToken, AlgorithmNotAllowed, WrongTokenType, UnknownIssuer, UnknownKey,
    │  │     BadSignature, MissingClaim, InvalidClaim, InvalidUserName, TooManyGroups,
    │  │     ExpiredToken, TokenNotYetValid, TokenTooOld, WrongAudience, UnverifiedEmail, TokenDenied,
    │  │     UnboundToken, UnknownBinding
    │  │  └─ NotPossessed        what the token is bound to did not come with it
    │  │     └─ ProofMissing, WrongProofKey, CertificateMissing, WrongCertificate
    │  ├─ InvalidProof           401 invalid_dpop_proof (RFC 9449 §7.1)
    │  │  └─ MalformedProof, ProofAlgorithmNotAllowed, ProofKeyRefused, WrongProofSignature, WrongProofMethod,
    │  │     WrongProofURL, WrongProofToken, ProofReplayed
    │  ├─ NonceNeeded            401 use_dpop_nonce (RFC 9449 §9)
    │  │  └─ ProofNotFresh
    │  └─ InsufficientScope      403 insufficient_scope
    ├─ KMIPError                 carries a Result Reason (KMIP 2.1 §11.46)
    │  └─ ItemNotFound, ObjectAlreadyExists, InvalidMessage, InvalidField, MissingData,
    │     OperationNotSupported, … (one class a reason)
    ├─ KeySetError               an issuer's keys could not be fetched or used; KeyCache handles it
    ├─ TooManyRequests           one principal sends more than its share: 429
    └─ Unavailable               something that this request needs is out of reach: 503
       └─ KeysUnavailable        the issuer's keys were never loaded or are too stale

An error has two texts: ``str(error)`` goes to the caller and never holds a token, a key, a claim or an
expected value; ``detail`` goes to the log only.
"""

from __future__ import annotations

from typing import ClassVar


class KMSError(Exception):
    """Base of all errors raised on purpose."""


class ConfigurationError(KMSError):
    """A setting is missing or nonsense; exit code 2.

    text: what is wrong. fields: the settings concerned, named as in `settings`, starting with the one to
    change; () where no setting is at fault. ``str()`` names the first. Only `options` knows how an option
    is spelled and where it was set.
    """

    def __init__(self, text: str, *fields: str) -> None:
        super().__init__(text, *fields)
        self.text = text
        self.fields = fields

    @property
    def field(self) -> str | None:
        """The setting to change, or None."""
        return self.fields[0] if self.fields else None

    def __str__(self) -> str:
        return self.text if self.field is None else f"{self.field}: {self.text}"


# --- who is calling -----------------------------------------------------------------------------


class AuthenticationError(KMSError):
    """A request is refused because it has no acceptable token.

    status: the HTTP status; code: the ``error`` of RFC 6750 §3.1, or None;
    reason: the label for logs and metrics; description: the fixed text for the caller.
    issuer, key_id: for the log, whose token it is, as far as it is known: a configured issuer, and the
    ``kid`` that the token names. Empty otherwise.
    scope: what the challenge says is needed (RFC 6750 §3), scopes with spaces between; empty where nothing is.
    scheme: of the challenge that tells the error: the one by which the token came.
    nonce: for the next DPoP proof (RFC 9449 §9); empty where none is asked for.
    """

    status: ClassVar[int] = 401
    code: ClassVar[str | None] = "invalid_token"
    reason: ClassVar[str] = "invalid"
    description: ClassVar[str] = "token not accepted"
    issuer: str = ""
    key_id: str = ""
    scope: str = ""
    scheme: str = "Bearer"
    nonce: str = ""

    def __init__(self, detail: str = "", description: str | None = None) -> None:
        self.detail = detail
        self.text = description or self.description
        super().__init__(self.text)


class MissingToken(AuthenticationError):
    code = None
    reason = "missing"
    description = "bearer token required"


class InvalidRequest(AuthenticationError):
    status = 400
    code = "invalid_request"
    reason = "invalid_request"
    description = "malformed Authorization header"


class ForeignPage(AuthenticationError):
    """Without token checks: a page in a browser may have caused the request."""

    status = 403
    code = "access_denied"
    reason = "foreign_page"
    description = "refused: a web page may have sent this request"


class UnknownUser(AuthenticationError):
    """The token is good; the application that embeds the token check has no such user."""

    status = 403
    code = "access_denied"
    reason = "unknown_user"
    description = "this user is not known here"


class InvalidToken(AuthenticationError):
    """Anything wrong with the token itself."""


class MalformedToken(InvalidToken):
    reason = "malformed"
    description = "token malformed"


class AlgorithmNotAllowed(InvalidToken):
    reason = "algorithm"
    description = "signature algorithm not accepted"


class WrongTokenType(InvalidToken):
    reason = "type"
    description = "token type not accepted"


class UnknownIssuer(InvalidToken):
    reason = "issuer"
    description = "unknown issuer"


class UnknownKey(InvalidToken):
    reason = "key"
    description = "unknown signing key"


class BadSignature(InvalidToken):
    reason = "signature"
    description = "signature not valid"


class MissingClaim(InvalidToken):
    reason = "missing_claim"
    description = "a required claim is missing"


class InvalidClaim(InvalidToken):
    reason = "invalid_claim"
    description = "a claim has a wrong type or value"


class InvalidUserName(InvalidToken):
    reason = "user_name"
    description = "user name not accepted"


class TooManyGroups(InvalidToken):
    """To pass some of them over would take rights away without a word."""

    reason = "groups"
    description = "token names too many groups"


class ExpiredToken(InvalidToken):
    reason = "expired"
    description = "token expired"


class TokenNotYetValid(InvalidToken):
    reason = "not_yet_valid"
    description = "token not yet valid"


class TokenTooOld(InvalidToken):
    reason = "too_old"
    description = "token too old"


class WrongAudience(InvalidToken):
    reason = "audience"
    description = "audience not accepted"


class UnverifiedEmail(InvalidToken):
    reason = "email"
    description = "email not verified"


class TokenDenied(InvalidToken):
    """It is good, and on the deny list."""

    reason = "denied"
    description = "token denied"


class UnboundToken(InvalidToken):
    """Whoever holds it can use it, and here that is not enough."""

    reason = "unbound"
    description = "token not bound to a key or certificate"


class UnknownBinding(InvalidToken):
    """It is bound in a way that cannot be checked here (RFC 7800 §3)."""

    reason = "binding"
    description = "token bound in a way that is not known here"


class NotPossessed(InvalidToken):
    """Who sent the token does not hold what it is bound to, or did not show it."""

    reason = "not_possessed"


class ProofMissing(NotPossessed):
    """It is bound to a key (RFC 9449 §6), and no proof came with it."""

    reason = "dpop_missing"
    description = "token needs a DPoP proof"


class WrongProofKey(NotPossessed):
    reason = "dpop_other_key"
    description = "token bound to another key than the DPoP proof's"


class CertificateMissing(NotPossessed):
    """It is bound to a client certificate (RFC 8705 §3), and none came with it."""

    reason = "certificate_missing"
    description = "token needs its client certificate"


class WrongCertificate(NotPossessed):
    reason = "certificate_other"
    description = "token bound to another client certificate"


class InvalidProof(AuthenticationError):
    """The DPoP proof that came with a token proves nothing (RFC 9449 §4.3)."""

    code = "invalid_dpop_proof"
    reason = "dpop_proof"
    description = "DPoP proof not accepted"


class MalformedProof(InvalidProof):
    reason = "dpop_malformed"
    description = "DPoP proof malformed"


class ProofAlgorithmNotAllowed(InvalidProof):
    reason = "dpop_algorithm"
    description = "DPoP proof: signature algorithm not accepted"


class ProofKeyRefused(InvalidProof):
    reason = "dpop_key"
    description = "DPoP proof: key not accepted"


class WrongProofSignature(InvalidProof):
    reason = "dpop_signature"
    description = "DPoP proof: signature not valid"


class WrongProofMethod(InvalidProof):
    reason = "dpop_method"
    description = "DPoP proof: made for another method"


class WrongProofURL(InvalidProof):
    reason = "dpop_url"
    description = "DPoP proof: made for another URL"


class WrongProofToken(InvalidProof):
    reason = "dpop_token"
    description = "DPoP proof: made for another token"


class ProofReplayed(InvalidProof):
    reason = "dpop_replay"
    description = "DPoP proof: used before"


class NonceNeeded(AuthenticationError):
    """The proof is to be made again, with the nonce that the answer brings (RFC 9449 §9)."""

    code = "use_dpop_nonce"
    reason = "dpop_nonce"
    description = "DPoP proof: needs the nonce of this answer"


class ProofNotFresh(NonceNeeded):
    """By its ``iat``; with a nonce of the server's, the client's clock does not count."""

    reason = "dpop_time"
    description = "DPoP proof: too old, or from the future; use the nonce of this answer"


class InsufficientScope(AuthenticationError):
    """The token is good; its holder may not do this (RFC 6750 §3.1)."""

    status = 403
    code = "insufficient_scope"
    reason = "scope"
    description = "a required claim or scope is missing"


# --- KMIP operations ----------------------------------------------------------------------------


class KMIPError(KMSError):
    """An operation failed; the caller gets a Result Reason and one line of text.

    reason: the name as KMIP 2.1 §11.46 writes it ("Item Not Found").
    """

    reason: ClassVar[str] = "General Failure"

    @property
    def reason_with_underscores(self) -> str:
        """``Item_Not_Found``: the spelling that published clients show."""
        return self.reason.replace(" ", "_")


class ItemNotFound(KMIPError):
    """The object does not exist, or the caller may not use it: the two read alike."""

    reason = "Item Not Found"


class ObjectAlreadyExists(KMIPError):
    reason = "Object Already Exists"


class NonUniqueName(KMIPError):
    """The object, or another one of the same owner, already has the Name."""

    reason = "Non Unique Name Attribute"


class BadCryptographicParameters(KMIPError):
    """The parameters contradict each other, or those of the key."""

    reason = "Bad Cryptographic Parameters"


class ImpossibleTagLength(BadCryptographicParameters):
    """An authentication tag that no cipher has, as opposed to one that is only not offered."""


class NonceReused(KMIPError):
    """The client's nonce was used with this key before; a second message under it would expose both."""

    reason = "Bad Cryptographic Parameters"


class WrongNonceSource(KMIPError):
    """The key's nonces come from the server and the client brings one, or the other way round."""

    reason = "Bad Cryptographic Parameters"


class NoncesSpent(KMIPError):
    """The server has made as many nonces for the key as are safe."""

    reason = "Usage Limit Exceeded"


class ServerLimitExceeded(KMIPError):
    """The owner or the request would exceed a limit of the server."""

    reason = "Server Limit Exceeded"


class InvalidMessage(KMIPError):
    """The request is not JSON, not TTLV, or not an operation of KMIP."""

    reason = "Invalid Message"


class InvalidField(KMIPError):
    reason = "Invalid Field"


class MalformedKey(InvalidField):
    """The octets of a key are not in the format that was stated."""


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
    """The request does not say which of the attribute's values it means."""

    reason = "Multi Valued Attribute"


class AttributeNotFound(KMIPError):
    reason = "Attribute Not Found"


class AttributeInstanceNotFound(KMIPError):
    """The object has the attribute, but not with this value."""

    reason = "Attribute Instance Not Found"


class NotQuantumSafe(KMIPError):
    """The client claims Quantum Safe for a key that is not. OASIS case QS-M-2 expects this reason."""

    reason = "General Failure"


class UsageLimitExceeded(KMIPError):
    """Fewer units are left of the key's Usage Limits than the client intends to use, or asks for."""

    reason = "Usage Limit Exceeded"


class MissingData(KMIPError):
    reason = "Missing Data"


class OperationNotSupported(KMIPError):
    reason = "Operation Not Supported"


class FeatureNotSupported(KMIPError):
    reason = "Feature Not Supported"


class PermissionDenied(KMIPError):
    reason = "Permission Denied"


class WrongKeyLifecycleState(KMIPError):
    reason = "Wrong Key Lifecycle State"


class IncompatibleCryptographicUsageMask(KMIPError):
    reason = "Incompatible Cryptographic Usage Mask"


class CryptographicFailure(KMIPError):
    """A decryption or an unwrapping failed, or a key does not work.

    The text never says which check of a ciphertext failed, so that it cannot serve as an oracle.
    """

    reason = "Cryptographic Failure"


class MissingInitializationVector(KMIPError):
    reason = "Missing Initialization Vector"


class UnsupportedCryptographicParameters(KMIPError):
    reason = "Unsupported Cryptographic Parameters"


class TagLengthFailure(KMIPError):
    """A tag that no cipher has, in a message: the OASIS cases expect this reason (`ImpossibleTagLength`)."""

    reason = "General Failure"


class InvalidCorrelationValue(KMIPError):
    """No stream has this correlation value, or none of this caller, key and operation."""

    reason = "Invalid Correlation Value"


class BadPassword(KMIPError):
    """The password of a PKCS#12 is missing, or not the right one."""

    reason = "Bad Password"


class KeyFormatTypeNotSupported(KMIPError):
    reason = "Key Format Type Not Supported"


class KeyCompressionTypeNotSupported(KMIPError):
    reason = "Key Compression Type Not Supported"


class KeyWrapTypeNotSupported(KMIPError):
    reason = "Key Wrap Type Not Supported"


class SensitiveObject(KMIPError):
    """A Sensitive object leaves the server only wrapped."""

    reason = "Sensitive"


class NotExtractable(KMIPError):
    """An object that is not Extractable never leaves the server."""

    reason = "Not Extractable"


class ResponseTooLarge(KMIPError):
    """The answer is longer than the client accepts or the server sends; nothing was changed."""

    reason = "Response Too Large"


class UnsupportedProtocolVersion(KMIPError):
    reason = "Unsupported Protocol Version"


class UnknownMessageExtension(KMIPError):
    reason = "Unknown Message Extension"


class AuthenticationNotSuccessful(KMIPError):
    """The message's Credential, the certificate it came with, or both together name no user here."""

    reason = "Authentication Not Successful"


class ObjectDestroyed(KMIPError):
    reason = "Object Destroyed"


class ObjectArchived(KMIPError):
    """The object is archived, and is to be recovered before anything is done with it."""

    reason = "Object Archived"


class GeneralFailure(KMIPError):
    """The server's own fault, such as a database that refuses writes; the log has the details."""

    reason = "General Failure"


# --- other parties ------------------------------------------------------------------------------


class KeySetError(KMSError):
    """An issuer's key set could not be fetched, parsed or used.

    ``str()`` is for the operator; cause: a few fixed words that may be told to anybody.
    """

    def __init__(self, text: str, cause: str = "not a key set") -> None:
        super().__init__(text)
        self.cause = cause


class TooManyRequests(KMSError):
    """429, and nothing was done. limit: what is exceeded, "rate" or "concurrency"; retry_after_s: whole seconds."""

    reason: ClassVar[str] = "too_many_requests"

    def __init__(self, description: str, *, limit: str, retry_after_s: int = 1) -> None:
        self.limit = limit
        self.retry_after_s = retry_after_s
        super().__init__(description)


class Unavailable(KMSError):
    """503. retry_after_s: whole seconds after which another try makes sense.

    cause: of an error of the database, the detail in a few fixed words for anybody; else None.
    """

    status: ClassVar[int] = 503
    reason: ClassVar[str] = "unavailable"

    def __init__(
        self,
        description: str,
        *,
        retry_after_s: int = 1,
        detail: str = "",
        cause: str | None = None,
    ) -> None:
        self.retry_after_s = retry_after_s
        self.detail = detail
        self.cause = cause
        super().__init__(description)

    @property
    def is_told_once(self) -> bool:
        """Whether the log has a line for the outage, so that it needs none for each request."""
        return self.cause is not None


class AuditUnavailable(Unavailable):
    """503: the audit cannot be written, so that nothing may be done that would not be recorded."""

    reason = "audit"


class KeysUnavailable(Unavailable):
    """issuer, key_id: as of an AuthenticationError."""

    reason = "keys_unavailable"
    issuer: str = ""
    key_id: str = ""

    @property
    def is_told_once(self) -> bool:
        return True
