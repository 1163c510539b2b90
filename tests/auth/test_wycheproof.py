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

from kms_tornado.auth.issuers.keyset import KeySet, parse_document
from kms_tornado.auth.tokens.compact import MAX_TOKEN_LENGTH, decode_segment, parse_token
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


#: A group of vectors of one key, and one of them.
Vector = tuple[dict[str, Any], dict[str, Any]]


def vectors(name: str) -> Iterator[Vector]:
    file = VECTORS / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    for group in json.loads(file.read_bytes())["testGroups"]:
        for case in group["tests"]:
            yield group, case


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


def told(group: dict[str, Any], case: dict[str, Any]) -> str:
    """Which vector it is, for a failure."""
    return f"{case['tcId']} {group['comment']} {case['comment']}"


def check_vectors(file: str) -> None:
    """Each of them, to the end: a failure names all that fail."""
    stricter, wrong = STRICTER[file], []
    for group, case in vectors(file):
        assert len(case["jws"]) < MAX_TOKEN_LENGTH, told(group, case)
        is_valid = case["result"] == "valid"
        if case["tcId"] in stricter:
            assert is_valid, f"the table of exceptions needs no {told(group, case)}"
        if is_accepted(group, case["jws"]) is not (is_valid and case["tcId"] not in stricter):
            wrong.append(told(group, case))
    assert wrong == []


def test_signatures() -> None:
    check_vectors("json_web_signature_test")


def test_keys() -> None:
    check_vectors("json_web_key_test")


def test_no_vector_is_a_token() -> None:
    """Whole, each of them is refused by form: their payloads are no claim sets."""
    for group, case in vectors("json_web_signature_test"):
        with pytest.raises(MalformedToken):
            pytest.fail(f"{parse_token(case['jws'])} of {told(group, case)}")
