"""Under which naming of users the owners of objects keep them."""

from __future__ import annotations

import pytest

from kms_tornado.domain.user_naming import UserNaming, find_naming_fault

PLAIN, BY_ISSUER = UserNaming(False, "sub"), UserNaming(True, "sub")
EMAIL = UserNaming(False, "email")


@pytest.mark.parametrize("naming", [PLAIN, BY_ISSUER, EMAIL])
def test_same_naming_has_no_fault(naming: UserNaming) -> None:
    assert find_naming_fault(naming, naming) is None


@pytest.mark.parametrize("configured", [PLAIN, BY_ISSUER, EMAIL])
def test_move_that_has_not_ended_is_a_fault_under_any_naming(configured: UserNaming) -> None:
    kept = UserNaming(True, "sub", former=PLAIN)
    fault = find_naming_fault(kept, configured)
    assert fault is not None
    assert "run kms-tornado transfer --naming again" in fault[0]
    assert "the namespace issuer and the user claim sub" in fault[0]


@pytest.mark.parametrize(
    ("kept", "configured", "field", "way"),
    [
        pytest.param(PLAIN, BY_ISSUER, "namespace_by_issuer", "set it to shared", id="2nd issuer"),
        pytest.param(BY_ISSUER, PLAIN, "namespace_by_issuer", "set it to issuer", id="taken out"),
        pytest.param(PLAIN, EMAIL, "user_claim", "set it to sub", id="another claim"),
        pytest.param(EMAIL, PLAIN, "user_claim", "set it to email", id="the default claim"),
        pytest.param(
            EMAIL, BY_ISSUER, "namespace_by_issuer", "set it to shared", id="both: the first"
        ),
    ],
)
def test_other_naming_is_a_fault_that_names_the_setting_and_the_way(
    kept: UserNaming, configured: UserNaming, field: str, way: str
) -> None:
    fault = find_naming_fault(kept, configured)
    assert fault is not None
    assert fault[1] == field
    assert way in fault[0]
    assert "kms-tornado transfer --naming" in fault[0]


A, B = "https://a.example/", "https://b.example/"
OWN = UserNaming(False, "sub", own=((B, "email"),))


@pytest.mark.parametrize(
    ("configured", "issuers", "is_fault"),
    [
        pytest.param(OWN, [A, B], False, id="the same"),
        pytest.param(PLAIN, [A, B], True, id="the default claim"),
        pytest.param(UserNaming(False, "sub", own=((B, "oid"),)), [A, B], True, id="another claim"),
        pytest.param(PLAIN, [A], False, id="the issuer is gone"),
        pytest.param(UserNaming(False, "sub", own=((A, "oid"), (B, "email"))), [A, B], False, id="another issuer has one, too"),
    ],
)  # fmt: skip
def test_claim_of_an_issuers_own_stays_while_the_issuer_does(
    configured: UserNaming, issuers: list[str], is_fault: bool
) -> None:
    fault = find_naming_fault(OWN, configured, issuers)
    assert (fault is not None) is is_fault
    if fault is not None:
        assert fault[1] == "user_claim"
        assert f"users of the issuer {B} are named by the claim 'email'" in fault[0]
        assert "set user-claim of its [[kms.issuer]] to email" in fault[0]


def test_claims_of_issuers_that_come_and_go_are_remembered() -> None:
    came = UserNaming(False, "sub", own=((A, "oid"),))
    assert OWN.remember(came).own == ((A, "oid"), (B, "email"))
    assert OWN.remember(PLAIN) == OWN
    assert PLAIN.remember(PLAIN) == PLAIN
