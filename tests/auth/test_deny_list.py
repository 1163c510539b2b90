"""Which tokens the lines of a deny list name."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.auth.deny_list import NOBODY, check_not_denied, parse_deny_list
from kms_tornado.errors import TokenDenied

from ..rows import each_row

A = "https://a.example/"
CLAIMS = {"iss": A, "sub": "alice", "jti": "j-1", "sid": "s-1"}


@each_row(
    ("line", "claims", "by"),
    [
        pytest.param("jti=j-1", {}, "jti", id="a token"),
        pytest.param("jti=j-2", {}, None, id="another token"),
        pytest.param("sub=alice", {}, "sub", id="a subject"),
        pytest.param("sub=Alice", {}, None, id="another letter case"),
        pytest.param("sub=alic", {}, None, id="the beginning of a subject"),
        pytest.param("sub=j-1", {}, None, id="the value of another claim"),
        pytest.param("sid=s-1", {}, "sid", id="a session"),
        pytest.param(f"iss={A} sub=alice", {}, "sub", id="an issuer's subject"),
        pytest.param(f"iss={A}\tsub=alice", {}, "sub", id="with a tab between"),
        pytest.param("iss=https://b.example/ sub=alice", {}, None, id="another issuer's subject"),
        pytest.param("iss=https://a.example sub=alice", {}, None, id="without the slash"),
        pytest.param(f"iss={A} jti=j-1", {}, "jti", id="an issuer's token"),
        pytest.param("iss=My own issuer sub=alice", {"iss": "My own issuer"}, "sub", id="an issuer with spaces"),
        pytest.param("sub=CN=Al Ice, O=x", {"sub": "CN=Al Ice, O=x"}, "sub", id="a subject with spaces and equals signs"),
        pytest.param("  sub=alice \r", {}, "sub", id="spaces around, and a line end of Windows"),
        pytest.param("\ufeffsub=alice", {}, "sub", id="a byte order mark"),
        pytest.param("sub=J\u00fcrgen", {"sub": "J\u00fcrgen"}, "sub", id="letters of other alphabets"),
        pytest.param("jti=17", {"jti": 17}, "jti", id="an identifier that is a number"),
        pytest.param("jti=True", {"jti": True}, None, id="a boolean is no identifier"),
        pytest.param("jti=j-1", {"jti": ["j-1"]}, None, id="nor a list"),
        pytest.param("# sub=alice", {}, None, id="a comment"),
        pytest.param("", {}, None, id="nothing"),
    ],
)  # fmt: skip
def test_line_names_tokens_by_a_claim(line: str, claims: dict[str, Any], by: str | None) -> None:
    denied = parse_deny_list(f"{line}\nsub=somebody else\n".encode())
    assert denied.faults == ()
    assert denied.find({**CLAIMS, **claims}, {**CLAIMS, **claims}["iss"]) == by


def test_issuer_may_be_named_as_configured_or_as_the_token_does() -> None:
    google = "https://accounts.google.com"
    claims = {"iss": "accounts.google.com", "sub": "1"}
    for named in (google, "accounts.google.com"):
        assert parse_deny_list(f"iss={named} sub=1".encode()).find(claims, google) == "sub"


def test_token_without_those_claims_is_not_on_the_list() -> None:
    denied = parse_deny_list(b"jti=1\nsub=1\nsid=1")
    assert denied.find({"client_id": "1"}, A) is None


@each_row(
    "line",
    [
        b"alice", b"sub", b"sub=", b"sub= ", b"sub =alice", b"SUB=alice", b"email=a@x", b"iss=https://a.example/",
        b"iss= sub=alice", b"iss=https://a.example/ email=x", b"sub=alice iss=https://a.example/", b"sub=\xff",
        b"sub=alice  # left", b"sub=alice sid=1", b"iss=https://a.example/ sub=alice jti=1", b"iss=https://a/{tenantid}/ sub=alice",
        b"eyJhbGciOiJSUzI1NiJ9.e30.c2VjcmV0", b'sub="alice"', b"sub='alice'", b"sub=alice,sub=carol", b"jti=1;sub=alice",
        b"sub=alice\rsub=carol", b"sub=alice\x0bsub=carol", "sub=alice\u2028jti=3".encode(), b"sub=alice\x00",
        b"iss=https://a.example/\r sub=alice",
    ],
)  # fmt: skip
def test_malformed_line_is_named_and_not_shown(line: bytes) -> None:
    denied = parse_deny_list(b"# first\nsub=bob\n" + line + b"\njti=2\n")
    (fault,) = denied.faults
    assert fault.startswith("line 3 ")
    assert "alice" not in fault
    assert "eyJ" not in fault
    assert denied.entries == {(None, "sub", "bob"), (None, "jti", "2")}


def test_denied_token_is_refused_by_its_own_words() -> None:
    check_not_denied(CLAIMS, issuer=A, denied=NOBODY)
    check_not_denied(CLAIMS, issuer=A, denied=parse_deny_list(b"sub=bob"))
    with pytest.raises(TokenDenied, match="token denied") as refused:
        check_not_denied(CLAIMS, issuer=A, denied=parse_deny_list(b"sub=bob\nsub=alice"))
    assert (refused.value.status, refused.value.reason) == (401, "denied")
    assert refused.value.detail == "its sub is on the deny list"
