"""The mandatory cases of the KMIP 2.1 profiles against a running server, over HTTP.

The cases are read from ../shared, rewritten from XML to JSON TTLV, sent message by message, and the
answers compared structurally (KMS.md §3). NOT_YET names what fails, with its reason.
``python -m tests.oasis_table`` prints case and result.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from kms_tornado.kmip import binary_codec, json_codec
from kms_tornado.kmip.tables import ENUMERATIONS
from kms_tornado.kmip.ttlv import Dialect
from kms_tornado.operations.discovery import PROFILES

from .kms import KMS, Item, User, two_issuers
from .oasis import CASES, VARIABLE, leaves
from .oasis_case import Differs, Send, owner_of, read_case, run_case

OPTIONS = ("--crypto-policy", "permissive", "--kmip-interop")

#: Why a case fails → the cases. A server without a token has no PKCS#11 to pass on.
MISSING = {
    "PKCS#11": "PKCS11-M-1",
    "wrapping on Get": "AX-M-2",
}
NOT_YET = {f"{case}-21": lack for lack, cases in MISSING.items() for case in cases.split()}


def over_json(user: User) -> Send:
    def send(request: Item) -> Item:
        answer = user.send(request)
        if answer.status != 200:
            raise Differs(f"{answer.status} {answer.text}")
        found: Item = json.loads(answer.body)
        return found

    return send


def over_binary(user: User) -> Send:
    def send(request: Item) -> Item:
        asked, _ = json_codec.parse(json.dumps(request).encode())
        answer = binary_codec.parse(user.send_binary(binary_codec.format(asked)))
        found: Item = json.loads(json_codec.format(answer, Dialect.OASIS_UNTYPED))
        return found

    return send


ENCODINGS = {"json": over_json, "binary": over_binary}


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with (
        two_issuers() as issuers,
        KMS(tmp_path_factory.mktemp("kms"), *issuers, options=OPTIONS) as server,
    ):
        yield server


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case_of_the_profiles(kms, path, encoding):
    with contextlib.closing(kms.user(owner_of(path, encoding))) as user:
        try_case(path, ENCODINGS[encoding](user))


def try_case(path: Path, send: Send) -> None:
    try:
        run_case(read_case(path), send)
    except Differs as exc:
        if path.stem not in NOT_YET:
            raise
        pytest.xfail(f"{NOT_YET[path.stem]} ({exc})")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_recorded_answers_are_what_the_comparison_accepts(path):
    """And nothing else: an answer with one value changed is not."""
    case = read_case(path)
    known = {
        found[1]: f"<{found[1]}>"
        for pair in case.pairs
        for message in pair
        for leaf in leaves(message)
        if (found := VARIABLE.fullmatch(str(leaf["value"])))
    }
    for _, expected in case.pairs:
        case.variables = dict(known)
        recorded = copy.deepcopy(case.filled(expected))
        case.compare(expected, recorded)
        status = next(leaf for leaf in leaves(recorded) if leaf["tag"] == "ResultStatus")
        status["value"] = "OperationPending"
        with pytest.raises(Differs, match="ResultStatus"):
            case.compare(expected, recorded)


@pytest.mark.skipif(not CASES, reason="the cases are not here")
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.cases)
def test_profile_is_claimed_whose_cases_all_pass(profile):
    cases = {path.stem for path in CASES if path.stem.startswith(profile.cases)}
    assert cases
    assert cases.isdisjoint(NOT_YET)
    assert ENUMERATIONS["ProfileName"].oasis[profile.number].endswith("Server")


@pytest.mark.skipif(not CASES, reason="the cases are not here")
def test_table_names_cases_only():
    names = Counter(path.stem for path in CASES)
    assert set(NOT_YET) <= set(names)
    assert len(names) == 86
