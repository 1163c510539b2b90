"""All of Wycheproof's JSON Web Signature and JSON Web Key vectors, through our own code.

They are read from ../shared/vectors beside the repository, and skipped where that is absent. The
payloads are no claim sets, so the parts are read with the functions that `parse_token` is made of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.auth.compact import MAX_TOKEN_LENGTH, decode_segment, parse_token
from kms_tornado.auth.keyset import KeySet, parse_document
from kms_tornado.errors import KeySetError, MalformedToken

from ..keys import b64

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
CLAIMS = b64(b"{}")

SYMMETRIC = "symmetric keys are never used"
EMPTY = "an empty payload is no JSON object: no token"
BOUND = "the key's alg binds it; RFC 7520's header names another algorithm of its family"
NO_SUCH_ALG = (
    "the vector's key says alg ES521, which no RFC has; that binds it to nothing we accept"
)

#: Vectors that Wycheproof calls valid and we refuse on purpose: {file: {tcId: why}}.
STRICTER = {
    "json_web_signature_test": {
        **dict.fromkeys((1, 348, 352, 357, 358, 359, 372, 373, 376, 377), SYMMETRIC),
        **dict.fromkeys((259, 264, 268, 272, 320, 325), EMPTY),
        **dict.fromkeys((346, 350), BOUND),
        **dict.fromkeys((347, 351), NO_SUCH_ALG),
    },
    "json_web_key_test": dict.fromkeys((2, 13, 14, 15), SYMMETRIC),
}  # fmt: skip


def vectors(name: str) -> list[Any]:
    return list(_vectors(name))


def _vectors(name: str) -> Iterator[Any]:
    file = VECTORS / f"{name}.json"
    if not file.exists():
        yield pytest.param({}, {}, id="absent", marks=pytest.mark.skip(f"{file} is absent"))
        return
    for group in json.loads(file.read_bytes())["testGroups"]:
        for case in group["tests"]:
            yield pytest.param(
                group, case, id=f"{case['tcId']} {group['comment']} {case['comment']}"
            )


def is_accepted(group: dict[str, Any], jws: str) -> bool:
    """Whether the key set verifies the JWS. Raises only what a refresh or a token check may."""
    key = group.get("public") or group["private"]
    try:
        keys = parse_document(json.dumps(key if "keys" in key else {"keys": [key]}).encode())
        assert isinstance(keys, KeySet)
        header_part, _, rest = jws.partition(".")
        payload_part, _, signature_part = rest.partition(".")
        # The payloads are no JSON: the header is read beside a payload that is.
        header = parse_token(f"{header_part}.{CLAIMS}.{signature_part}").header
        decode_segment(payload_part.encode("ascii"))
        signature = decode_segment(signature_part.encode("ascii"))
    except (KeySetError, MalformedToken):
        return False
    signing_input = f"{header_part}.{payload_part}".encode()
    return any(
        check(signing_input, signature) for check in keys.find_candidates(header.kid, header.alg)
    )


def check_vector(file: str, group: dict[str, Any], case: dict[str, Any]) -> None:
    assert len(case["jws"]) < MAX_TOKEN_LENGTH
    why = STRICTER[file].get(case["tcId"])
    if why is not None:
        assert case["result"] == "valid", (
            "the table of exceptions holds only what we are stricter in"
        )
    assert is_accepted(group, case["jws"]) is (case["result"] == "valid" and why is None)


@pytest.mark.parametrize(("group", "case"), vectors("json_web_signature_test"))
def test_signatures(group: dict[str, Any], case: dict[str, Any]) -> None:
    check_vector("json_web_signature_test", group, case)


@pytest.mark.parametrize(("group", "case"), vectors("json_web_key_test"))
def test_keys(group: dict[str, Any], case: dict[str, Any]) -> None:
    check_vector("json_web_key_test", group, case)


@pytest.mark.parametrize(("group", "case"), vectors("json_web_signature_test"))
def test_no_vector_is_a_token(group: dict[str, Any], case: dict[str, Any]) -> None:
    """Whole, each of them is refused by form: their payloads are no claim sets."""
    with pytest.raises(MalformedToken):
        parse_token(case["jws"])
