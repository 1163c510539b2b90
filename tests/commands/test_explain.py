"""`kms-tornado explain`: what it prints, where the token and the keys come from, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kms_tornado import errors
from kms_tornado.commands.explain import ADVICE, advise

from ..auth.rules.explained_tokens import ROWS
from ..issuer import Issuer
from ..rows import each_row
from ..server import NO_AUTH, free_port, run


def explain(*words: str, stdin: str = "", cwd: Path) -> Any:
    return run("explain", *words, cwd=cwd, stdin=stdin)


def trusting(issuer: Issuer, *more: str) -> list[str]:
    return ["--jwt-issuer-uri", issuer.uri, "--jwt-audience", "kms", *more]


@each_row(("error", "step"), [pytest.param(*row.values[:2], id=row.id) for row in ROWS])
def test_every_failed_check_says_what_would_have_to_change(
    error: type[errors.KMSError], step: str
) -> None:
    assert advise(step, error("")) in ADVICE.values()


def test_good_token_is_accepted_and_its_signature_not_printed(
    issuer: Issuer, tmp_path: Path
) -> None:
    token = issuer.token(aud="kms", sub="alice", groups=["b", "a"], secret="nobody's business")
    done = explain(
        "-",
        *trusting(issuer, "--jwt-group-claim", "groups"),
        stdin=f"Bearer {token}\n",
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "accepted"
    assert 'passed  user name: sub makes the user "alice"' in lines
    assert 'passed  groups: groups makes ["group:a", "group:b"]' in lines
    assert 'passed  key: the token has the kid "k1"; of 1 key 1 may have signed it' in lines
    assert "claims   1 more, which decide nothing here" in lines
    for hidden in (token.rpartition(".")[2], token.split(".")[1], "nobody's business"):
        assert hidden not in done.stdout
    assert list(tmp_path.iterdir()) == [], "neither a database nor a key is made"


def test_refused_token_has_all_its_faults_told(issuer: Issuer, tmp_path: Path) -> None:
    token = issuer.token(aud="another", sub="*", exp=1)
    done = explain("-", *trusting(issuer), stdin=token, cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[-1] == "refused: 401 invalid_token: token expired"
    assert sum(line.startswith("FAILED") for line in lines) == 3
    advice = [line.strip() for line in lines if "to pass:" in line]
    assert advice[0] == (
        "to pass: get a new token; if this one is new, compare the clocks (--jwt-leeway is 60 s)"
    )
    assert advice[1].startswith('to pass: ask the issuer for a token for "kms", or ')


def test_token_as_an_argument_is_warned_of(issuer: Issuer, tmp_path: Path) -> None:
    token = issuer.token(aud="kms")
    done = explain(token, *trusting(issuer), cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("kms-tornado: warning: other users of this machine see arguments")
    assert token not in done.stdout + done.stderr


def test_keys_of_a_file_need_no_network(issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "the keys.json").write_text(json.dumps({"keys": issuer.keys}))
    with Issuer("ES256") as other:
        token = issuer.token(aud="kms", iss=(uri := other.uri))
    options = ("--jwt-issuer-uri", uri, "--jwt-audience", "kms")
    done = explain("-", "--keys", "the keys.json", *options, stdin=token, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "accepted")
    done = explain("-", *options, stdin=token, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("not decided: the issuer's keys cannot be had")
    assert "--keys FILE" in done.stdout
    assert "  -     signature: cannot be checked without that" in done.stdout


@pytest.mark.parametrize(
    ("words", "stdin", "fault"),
    [
        pytest.param(["-"], "", "there is no token on stdin", id="nothing on stdin"),
        pytest.param(["-"], "Bearer \n", "there is no token on stdin", id="a scheme alone"),
        pytest.param([], "", "TOKEN (argument): is missing", id="no argument"),
        pytest.param(["-", "--keys", "absent.json"], "", "--keys (flag): cannot read absent.json", id="no file"),
    ],
)  # fmt: skip
def test_mistake_is_told_in_one_line(
    issuer: Issuer, tmp_path: Path, words: list[str], stdin: str, fault: str
) -> None:
    done = explain(*words, *trusting(issuer), stdin=stdin, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_an_issuer_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    done = explain("-", *NO_AUTH, "--port", str(free_port()), stdin="x.y.z", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no issuer to trust" in done.stderr


def test_word_behind_the_token_is_masked(issuer: Issuer, tmp_path: Path) -> None:
    token = issuer.token(aud="kms")
    done = explain("-", token, *trusting(issuer), cwd=tmp_path)
    assert done.returncode == 2
    assert token.rpartition(".")[2] not in done.stderr
