"""Sign and SignatureVerify (KMIP 2.1 §6.1.53, §6.1.54), whole, in parts, or of a digest."""

from __future__ import annotations

from ..crypto.signature_schemes import SignatureScheme
from ..crypto.signature_streams import SigningStream, VerifyingStream
from ..crypto.signatures import Signer, Verifier
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import FeatureNotSupported, InvalidField, MissingData, Unavailable
from ..kmip.enums import CryptographicUsageMask, ObjectType, ValidityIndicator
from ..kmip.payloads import (
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)
from ..kmip.structures import CryptographicParameters
from .common.call import Call
from .common.key_use import choose_parameters, feed_stream, open_public_key, run_with_private_key
from .common.streams import Stage, determine_stage

#: A certificate verifies with the key in it.
VERIFYING_TYPES = frozenset({ObjectType.PUBLIC_KEY, ObjectType.CERTIFICATE})


async def sign(call: Call, request: SignRequest) -> SignResponse:
    """The signature of the data, or of what the digest is of."""
    stage = _stage(request)
    key = await call.fetch_to_use(
        request.unique_identifier,
        Use.PROTECT,
        CryptographicUsageMask.SIGN,
        types=ObjectType.PRIVATE_KEY,
    )
    target = key.target

    def signer() -> Signer:
        made = Signer(key.open(), _parameters(target, request))
        _check_scheme(call, made.scheme, Use.PROTECT, stage)
        return made

    if request.digested_data is not None:
        digested, made = request.digested_data, signer()
        signature = await run_with_private_key(
            call, target, lambda: made.sign(digested, is_digest=True)
        )
        await call.consume_usage(target, len(digested))
        return SignResponse(target.uid, signature_data=signature)
    in_parts = stage is not Stage.WHOLE
    stream = await feed_stream(
        call, request, target, lambda: SigningStream(signer()), protects=in_parts
    )
    if not stage.is_last:
        return SignResponse(target.uid, correlation_value=call.streams.keep(stream, now=call.now))
    try:
        signature = await run_with_private_key(call, target, stream.work.finish)
    except Unavailable:  # no thread is free
        if not in_parts:
            raise
        signature = stream.work.finish()  # the parts are paid, and their stream is gone
    if not in_parts:  # paid last: what failed, or found no thread, costs nothing
        await call.consume_usage(target, len(request.data or b""))
    return SignResponse(target.uid, signature_data=signature)


async def signature_verify(call: Call, request: SignatureVerifyRequest) -> SignatureVerifyResponse:
    """Whether the signature, which comes with the last part, is that of the data."""
    stage = _stage(request)
    signature = request.signature_data
    if stage.is_last and signature is None:
        raise MissingData("SignatureData is missing")
    key = await call.fetch_to_use(
        request.unique_identifier, Use.PROCESS, CryptographicUsageMask.VERIFY, types=VERIFYING_TYPES
    )
    target = key.target

    def verifier() -> Verifier:
        made = Verifier(open_public_key(key), _parameters(target, request))
        _check_scheme(call, made.scheme, Use.PROCESS, stage)
        return made

    if request.digested_data is not None:
        is_valid = verifier().is_valid(request.digested_data, signature or b"", is_digest=True)
        return _verdict(target, is_valid)
    stream = await feed_stream(
        call, request, target, lambda: VerifyingStream(verifier()), protects=False
    )
    if not stage.is_last:
        return SignatureVerifyResponse(
            target.uid, correlation_value=call.streams.keep(stream, now=call.now)
        )
    return _verdict(target, stream.work.finish(signature or b""))


def _stage(request: SignRequest | SignatureVerifyRequest) -> Stage:
    """Raises InvalidField for a digest that is not the whole request."""
    stage = determine_stage(request)
    if request.digested_data is not None:
        if request.data is not None:
            raise InvalidField("Data and DigestedData exclude each other")
        if stage is not Stage.WHOLE:
            raise InvalidField("DigestedData comes whole")
    return stage


def _parameters(
    target: ManagedObject, request: SignRequest | SignatureVerifyRequest
) -> CryptographicParameters:
    wanted = choose_parameters(target, request.cryptographic_parameters)
    return wanted or CryptographicParameters()


def _check_scheme(call: Call, scheme: SignatureScheme, use: Use, stage: Stage) -> None:
    """Policy, and what the scheme can do in parts."""
    for technique in scheme.techniques:
        call.check_allowed(technique, use)
    if scheme.hashing is None and stage is not Stage.WHOLE:
        raise FeatureNotSupported("Ed25519 signs whole data only")


def _verdict(target: ManagedObject, is_valid: bool) -> SignatureVerifyResponse:
    return SignatureVerifyResponse(
        target.uid,
        validity_indicator=ValidityIndicator.VALID if is_valid else ValidityIndicator.INVALID,
    )
