"""The policy table: what `conservative` allows, row by row."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.policy import POLICY_RULES, CryptoPolicy, Technique, check_policy, may_use
from kms_tornado.domain.lifecycle import Use
from kms_tornado.errors import UnsupportedCryptographicParameters
from kms_tornado.settings.service import CRYPTO_POLICIES

from ..rows import each_row

BOTH = (Use.PROTECT, Use.PROCESS)

#: Technique → the uses that `conservative` refuses.
REFUSED = {
    Technique.AES_CBC: BOTH,
    Technique.AES_CTR: BOTH,
    Technique.AES_ECB: BOTH,
    Technique.CHACHA20: BOTH,
    Technique.TDES: (Use.PROTECT,),
    Technique.TDES_CBC: BOTH,
    Technique.TDES_ECB: BOTH,
    Technique.GCM_SHORT_IV: BOTH,
    Technique.GCM_LONG_IV: (Use.PROTECT,),
    Technique.GCM_SHORT_TAG: BOTH,
    Technique.RSA_PKCS1_V1_5_ENCRYPTION: BOTH,
    Technique.SHA_1_SIGNATURE: BOTH,
    Technique.DERIVATION_BY_HASH: BOTH,
}


def test_values_of_the_option_are_the_policies():
    assert set(CRYPTO_POLICIES) == {policy.value for policy in CryptoPolicy}


def test_every_technique_has_its_row():
    assert set(POLICY_RULES) == set(Technique)


@each_row("use", BOTH)
@each_row("technique", Technique, ids=lambda each: each.name)
def test_conservative_refuses_what_the_contract_lists_and_permissive_allows_it(technique, use):
    check_policy(CryptoPolicy.PERMISSIVE, technique, use)
    assert may_use(CryptoPolicy.PERMISSIVE, technique, use)
    if use not in REFUSED.get(technique, ()):
        check_policy(CryptoPolicy.CONSERVATIVE, technique, use)
        return
    assert not may_use(CryptoPolicy.CONSERVATIVE, technique, use)
    with pytest.raises(UnsupportedCryptographicParameters) as refusal:
        check_policy(CryptoPolicy.CONSERVATIVE, technique, use)
    assert str(refusal.value).startswith(technique.value)
    assert "--crypto-policy permissive" in str(refusal.value)
