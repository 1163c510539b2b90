"""Sign and SignatureVerify (KMIP 2.1 §6.1.53, §6.1.54), of whole data, data in parts, or a digest."""

from __future__ import annotations

from ..crypto.signing.schemes import SignatureScheme
from ..crypto.signing.signatures import Signer, Verifier
from ..crypto.signing.streams import SigningStream, VerifyingStream
from ..domain.key_parameters import bind_parameters
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import (
    BadCryptographicParameters,
    FeatureNotSupported,
    InvalidField,
    MissingData,
    Unavailable,
)
from ..kmip.enums import CryptographicUsageMask, ObjectType, ValidityIndicator
from ..kmip.payloads import (
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)
from ..kmip.structures import CryptographicParameters
from .common.call import Call
from .common.key_use import feed_stream, open_public_key, run_with_private_key
from .common.streams import Stage, determine_stage
from .common.usable_key import UsableKey

#: A certificate verifies with the public key in it.
VERIFYING_TYPES = frozenset({ObjectType.PUBLIC_KEY, ObjectType.CERTIFICATE})


async def sign(call: Call, request: SignRequest) -> SignResponse:
    """Sign the data, or the data whose digest the request has."""
    stage = _determine_stage(request)
    key = await call.fetch_to_use(
        request.unique_identifier,
        Use.PROTECT,
        CryptographicUsageMask.SIGN,
        types=ObjectType.PRIVATE_KEY,
    )
    target = key.target
    if request.digested_data is not None:
        return await _sign_digest(call, key, request, request.digested_data)
    in_parts = stage is not Stage.WHOLE
    stream = await feed_stream(
        call,
        request,
        target,
        lambda: SigningStream(_make_signer(call, key, request, stage)),
        protects=in_parts,
    )
    if not stage.is_last:
        return SignResponse(target.uid, correlation_value=call.streams.keep(stream, now=call.now))
    finish = stream.computation.finish
    try:
        signature = await run_with_private_key(call, target, finish)
    except Unavailable:  # no thread is free
        if not in_parts:
            raise
        signature = finish()  # a retry is impossible: usage is consumed, and the stream has ended
    if not in_parts:  # consumed last, so that a failure, or a lack of threads, consumes no usage
        await call.consume_usage(target, len(request.data or b""))
    return SignResponse(target.uid, signature_data=signature)


async def _sign_digest(
    call: Call, key: UsableKey, request: SignRequest, digest: bytes
) -> SignResponse:
    signer = _make_signer(call, key, request, Stage.WHOLE)
    signature = await run_with_private_key(
        call, key.target, lambda: signer.sign(digest, is_digest=True)
    )
    await call.consume_usage(key.target, len(digest))
    return SignResponse(key.target.uid, signature_data=signature)


async def signature_verify(call: Call, request: SignatureVerifyRequest) -> SignatureVerifyResponse:
    """Verify the signature, which comes with the last part of the data."""
    stage = _determine_stage(request)
    signature = request.signature_data
    if stage.is_last and signature is None:
        raise MissingData("SignatureData is missing")
    key = await call.fetch_to_use(
        request.unique_identifier, Use.PROCESS, CryptographicUsageMask.VERIFY, types=VERIFYING_TYPES
    )
    target = key.target
    try:
        parameters = _bind_parameters(target, request)
    except BadCryptographicParameters:
        if stage is not Stage.WHOLE:
            raise
        return _make_verdict(target, is_valid=False)  # no signature of this key (case CS-AC-M-3)
    if request.digested_data is not None:
        verifier = _make_verifier(call, key, parameters, stage)
        is_valid = verifier.is_valid(request.digested_data, signature or b"", is_digest=True)
        return _make_verdict(target, is_valid)
    stream = await feed_stream(
        call,
        request,
        target,
        lambda: VerifyingStream(_make_verifier(call, key, parameters, stage)),
        protects=False,
    )
    if not stage.is_last:
        return SignatureVerifyResponse(
            target.uid, correlation_value=call.streams.keep(stream, now=call.now)
        )
    return _make_verdict(target, stream.computation.finish(signature or b""))


def _determine_stage(request: SignRequest | SignatureVerifyRequest) -> Stage:
    """The stage of the request. Raises InvalidField for a digest beside data or in parts."""
    stage = determine_stage(request)
    if request.digested_data is not None:
        if request.data is not None:
            raise InvalidField("Data and DigestedData exclude each other")
        if stage is not Stage.WHOLE:
            raise InvalidField("DigestedData comes whole")
    return stage


def _make_signer(call: Call, key: UsableKey, request: SignRequest, stage: Stage) -> Signer:
    signer = Signer(key.open(), _bind_parameters(key.target, request))
    _check_scheme(call, signer.scheme, Use.PROTECT, stage)
    return signer


def _make_verifier(
    call: Call, key: UsableKey, parameters: CryptographicParameters, stage: Stage
) -> Verifier:
    verifier = Verifier(open_public_key(key), parameters)
    _check_scheme(call, verifier.scheme, Use.PROCESS, stage)
    return verifier


def _bind_parameters(
    target: ManagedObject, request: SignRequest | SignatureVerifyRequest
) -> CryptographicParameters:
    parameters = bind_parameters(
        target.attributes.cryptographic_parameters, request.cryptographic_parameters
    )
    return parameters or CryptographicParameters()


def _check_scheme(call: Call, scheme: SignatureScheme, use: Use, stage: Stage) -> None:
    """Check that the policy allows the scheme, and that it supports data in parts if there are any."""
    for technique in scheme.techniques:
        call.check_allowed(technique, use)
    if scheme.hashing is None and stage is not Stage.WHOLE:
        raise FeatureNotSupported("Ed25519 signs whole data only")


def _make_verdict(target: ManagedObject, is_valid: bool) -> SignatureVerifyResponse:
    return SignatureVerifyResponse(
        target.uid,
        validity_indicator=ValidityIndicator.VALID if is_valid else ValidityIndicator.INVALID,
    )
