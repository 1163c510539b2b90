"""PairPlay: key pairs and signatures, verifications, and the questions that need no key."""

from __future__ import annotations

from typing import Any

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    Operation,
    RecommendedCurve,
    ValidityIndicator,
)
from kms_tornado.kmip.payloads import (
    CheckRequest,
    CreateKeyPairRequest,
    GetAttributeListRequest,
    HashRequest,
    MACVerifyRequest,
    ReKeyKeyPairRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kms_tornado.kmip.structures import CryptographicDomainParameters, CryptographicParameters

from .model import ALIVE, Overreach
from .wrapping_play import WrappingPlay

M, Op = CryptographicUsageMask, Operation


class PairPlay(WrappingPlay):
    def create_pair(
        self, user: str, private: Attributes, public: Attributes | None = None
    ) -> tuple[str, str] | None:
        """(private, public) on P-256."""
        common = Attributes(
            cryptographic_algorithm=CryptographicAlgorithm.ECDSA,
            cryptographic_domain_parameters=CryptographicDomainParameters(
                recommended_curve=RecommendedCurve.P_256
            ),
        )
        public = public or Attributes(cryptographic_usage_mask=int(M.VERIFY))
        request = CreateKeyPairRequest(common, private, public)
        outcome = self.act(user, Op.CREATE_KEY_PAIR, request)
        return self._made_pair(user, outcome, "CreateKeyPair") if outcome.is_done else None

    def _made_pair(self, owner: str, outcome: Any, what: str) -> tuple[str, str]:
        response = outcome.response
        uids = response.private_key_unique_identifier, response.public_key_unique_identifier
        for uid in uids:
            self.adopt(owner, uid)
        self.see(owner, outcome, what)
        return uids

    def re_key_pair(self, user: str, uid: str) -> tuple[str, str] | None:
        outcome = self.act(user, Op.RE_KEY_KEY_PAIR, ReKeyKeyPairRequest(uid))
        if not outcome.is_done:
            return None
        old = self.keys[uid]
        old.check_right(user, Op.RE_KEY_KEY_PAIR)
        if old.state not in ALIVE:
            raise Overreach(f"{user} replaced {uid}, which is {old.state.name}")
        made = self._made_pair(old.owner, outcome, "ReKeyKeyPair")
        new = self.keys[made[0]]
        if new.mask != old.mask or (old.is_hidden and not new.is_hidden) or new.total != old.total:
            raise Overreach(f"{user} replaced {uid}, and its rules")
        return made

    def sign(self, user: str, uid: str, data: bytes, *, is_digest: bool = False) -> bytes | None:
        """is_digest: data is hashed already."""
        sent = {"digested_data": data} if is_digest else {"data": data}
        outcome = self.act(user, Op.SIGN, SignRequest(uid, **sent))
        if not outcome.is_done:
            return None
        self.protect(user, self.keys[uid], Op.SIGN, M.SIGN, len(data))
        self.see(user, outcome, "Sign")
        signature: bytes = outcome.response.signature_data
        return signature

    def verify(self, user: str, uid: str, data: bytes, signature: bytes) -> bool:
        request = SignatureVerifyRequest(uid, data=data, signature_data=signature)
        outcome = self.act(user, Op.SIGNATURE_VERIFY, request)
        if not outcome.is_done:
            return False
        self.process(user, self.keys[uid], Op.SIGNATURE_VERIFY, M.VERIFY)
        self.see(user, outcome, "SignatureVerify")
        return bool(outcome.response.validity_indicator is ValidityIndicator.VALID)

    def verify_mac(self, user: str, uid: str, data: bytes, mac: bytes) -> bool:
        outcome = self.act(user, Op.MAC_VERIFY, MACVerifyRequest(uid, None, data, mac))
        if not outcome.is_done:
            return False
        self.process(user, self.keys[uid], Op.MAC_VERIFY, M.MAC_VERIFY)
        self.see(user, outcome, "MACVerify")
        return bool(outcome.response.validity_indicator is ValidityIndicator.VALID)

    def ask_about(self, user: str, uid: str, mask: int) -> bool:
        """Check and GetAttributeList: told to who has the right, and nothing else."""
        listed = self.act(user, Op.GET_ATTRIBUTE_LIST, GetAttributeListRequest(uid))
        if listed.is_done:
            self.keys[uid].check_right(user, Op.GET_ATTRIBUTE_LIST)
            self.see(user, listed, "GetAttributeList")
        outcome = self.act(user, Op.CHECK, CheckRequest(uid, cryptographic_usage_mask=mask))
        if not outcome.is_done:
            return False
        key = self.keys[uid]
        key.check_right(user, Op.CHECK)
        self.see(user, outcome, "Check")
        if key.mask is not None and not key.mask & M.UNRESTRICTED and mask & ~key.mask:
            raise Overreach(f"{user} was told that {uid} may do {mask:#x}")
        return True

    def hash(self, user: str, data: bytes) -> None:
        parameters = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
        outcome = self.act(user, Op.HASH, HashRequest(parameters, data))
        if outcome.is_done:
            self.watches[user].learn(outcome.response.data)
            self.see(user, outcome, "Hash")
