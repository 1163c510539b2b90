"""A start under which everybody would be without their keys is refused, in one line that names the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from ... import postgres
from ...issuer import Issuer
from ...server import check_refused, run, serving

SECOND = ("--jwt-auth-provider", "https://second.example.com,,kms", "--jwt-user-namespace")
REFUSED = [
    pytest.param((*SECOND, "issuer"), "--jwt-user-namespace", "shared", id="second issuer"),
    pytest.param(("--jwt-user-namespace", "issuer"), "--jwt-user-namespace", "shared", id="alone"),
    pytest.param(("--jwt-user-claim", "email"), "--jwt-user-claim", "sub", id="another claim"),
]


def start(issuer: Issuer) -> list[str]:
    return ["--jwt-issuer-uri", issuer.uri, "--jwt-audience", "kms"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The directory and the options of a server that has served alice."""
    directory = tmp_path_factory.mktemp(request.param)
    options = start(issuer)
    if request.param == "postgresql":
        options += ["--database-url", postgres.cluster().new_database()]
    with serving(*options, cwd=directory) as server:
        assert server.client.create(issuer.token(aud="kms"))
    return directory, options


@pytest.mark.parametrize(("more", "option", "way"), REFUSED)
def test_naming_that_takes_everybodys_keys_away_is_refused(
    filled: tuple[Path, list[str]], more: tuple[str, ...], option: str, way: str
) -> None:
    directory, options = filled
    line = check_refused(run(*options, *more, "--port", "0", cwd=directory), 2)
    assert line.startswith(f"kms-tornado: {option} (flag): the objects in the database belong to")
    assert f"set it to {way}" in line


def test_naming_that_leaves_everybody_their_keys_serves(
    filled: tuple[Path, list[str]], issuer: Issuer
) -> None:
    directory, options = filled
    with serving(*options, *SECOND, "shared", cwd=directory) as server:
        assert server.client.create(issuer.token(aud="kms"))
    with serving(*options, "--workers", "2", cwd=directory) as server:
        assert server.client.create(issuer.token(aud="kms"))


def test_second_issuer_may_come_before_the_first_object(issuer: Issuer, tmp_path: Path) -> None:
    with serving(*start(issuer), cwd=tmp_path):
        pass
    with serving(*start(issuer), *SECOND, "issuer", cwd=tmp_path) as server:
        assert server.client.create(issuer.token(aud="kms"))
    line = check_refused(run(*start(issuer), "--port", "0", cwd=tmp_path), 2)
    assert line.startswith("kms-tornado: --jwt-user-namespace (not set): the objects in the")
    assert "set it to issuer" in line


def test_user_claim_of_a_table_is_remembered_and_may_be_moved(
    issuer: Issuer, tmp_path: Path
) -> None:
    def write(claim: str, more: str = "") -> list[str]:
        (tmp_path / "kms.toml").write_text(
            f"""[kms]
            jwt-audience = ["kms"]
            jwt-user-namespace = "shared"
            [[kms.issuer]]
            uri = "{issuer.uri}"
            user-claim = ["{claim}"]
            {more}"""
        )
        return ["-c", "kms.toml", "--data-dir", str(tmp_path / "data")]

    token = issuer.token(aud="kms", azp="robot", oid="o-1")
    with serving(*write("azp"), cwd=tmp_path) as server:
        key = server.client.create(token)
        assert server.client.create(issuer.token(aud="kms", azp="other"))
    second = '[[kms.issuer]]\nuri = "https://second.example/"\nuser-claim = ["oid"]'
    with serving(*write("azp", second), cwd=tmp_path) as server:
        assert server.client.get_key(token, key).status == 200
    line = check_refused(run(*write("oid", second), "--port", "0", cwd=tmp_path), 2)
    assert f"users of the issuer {issuer.uri} are named by the claim 'azp'" in line
    changed = second.replace("oid", "azp")
    line = check_refused(run(*write("azp", changed), "--port", "0", cwd=tmp_path), 2)
    assert "users of the issuer https://second.example/ are named by the claim 'oid'" in line
    (tmp_path / "names.tsv").write_text("robot\to-1\nother\tother\n")
    moved = run("transfer", "--naming", "--map", "names.tsv", *write("oid"), cwd=tmp_path)
    assert (moved.returncode, moved.stdout) == (0, "1 object got the new names of users\n"), (
        moved.stderr
    )
    with serving(*write("oid"), cwd=tmp_path) as server:
        assert server.client.get_key(token, key).status == 200
