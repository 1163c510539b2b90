"""`kms-tornado transfer`: beside a server that serves, and what it refuses before it moves anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..issuer import Issuer
from ..kmip_items import named, uid
from ..kms import KMS, User
from ..server import run
from .conftest import Place, make_database


@pytest.fixture
def old(place: Place) -> User:
    return place.kms.user()


@pytest.fixture
def new(place: Place) -> User:
    return place.kms.user()


def test_server_that_serves_knows_the_new_owner_at_once(place: Place, old: User, new: User) -> None:
    friend = place.kms.user()
    key = old.create()
    octets = old.key_of(key)
    old.grant(key, friend, "get")
    assert place.transfer(old.name, new.name, "--dry-run") == (
        f"1 object of {old.name} would become those of {new.name}\n"
    )
    assert old.key_of(key) == octets
    assert (
        place.transfer(old.name, new.name) == f"1 object of {old.name} became those of {new.name}\n"
    )
    assert new.key_of(key) == friend.key_of(key) == octets
    assert old.refused("Get", uid(key)).startswith("Item_Not_Found: ")
    assert new.grants_on(key) == {friend.name: ["get"]}
    assert (
        place.transfer(old.name, new.name)
        == f"0 objects of {old.name} became those of {new.name}\n"
    )


def test_named_objects_move_without_the_rights_of_others(
    place: Place, old: User, new: User
) -> None:
    keys = [old.create() for _ in range(3)]
    for key in keys:
        old.grant(key, "*", "get")
    place.transfer(old.name, new.name, "--uid", keys[0], "--uid", keys[1], "--drop-grants")
    assert {item["object_id"] for item in new.listed("owned")} == set(keys[:2])
    assert new.grants_on(keys[0]) == {}
    assert old.grants_on(keys[2]) == {"*": ["get"]}


def test_named_object_that_is_not_the_old_owners_is_told(
    place: Place, old: User, new: User
) -> None:
    key, theirs = old.create(), new.create()
    said = place.transfer(old.name, new.name, "--uid", key, "--uid", theirs, code=1)
    assert said == (
        f"1 object of {old.name} became those of {new.name}\n"
        f"{theirs} stays: {old.name} has no object of this identifier\n"
    )


def test_object_that_stays_is_told(place: Place, old: User, new: User) -> None:
    new.create(named("invoices"))
    key = old.create(named("invoices"))
    old.create()
    said = place.transfer(old.name, new.name, code=1)
    assert said == (
        f"1 object of {old.name} became those of {new.name}\n"
        f"{key} stays: {new.name} has another object with one of its names: 'invoices'\n"
    )


def test_many_users_move_by_a_map(place: Place, old: User, new: User) -> None:
    third = place.kms.user()
    keys = old.create(), third.create()
    file = place.kms.directory / "names.tsv"
    file.write_text(  # a byte order mark is no part of the first name
        f"\ufeff{old.name}\t{new.name}\r\n\n{third.name}\t{new.name}\nnobody-{os.getpid()}\t{new.name}\n"
    )
    assert place.transfer("--map", str(file)).count("\n") == 3
    assert {item["object_id"] for item in new.listed("owned")} == set(keys)


@pytest.mark.parametrize(
    ("words", "lines", "fault"),
    [
        pytest.param([], None, "OLD and NEW are needed, or --map FILE", id="nothing"),
        pytest.param(["a"], None, "OLD and NEW are needed", id="one name"),
        pytest.param(["a", "a"], None, "a would go to itself", id="the same name"),
        pytest.param(["a", "*"], None, "'*' stands for every user", id="everyone"),
        pytest.param(["a", "group:b"], None, "'group:b' begins with group: or cert:", id="a group"),
        pytest.param(["a", " b"], None, "' b' begins or ends with a space", id="no name"),
        pytest.param(["a", "{issuer}#b"], None, "begins with an issuer, as no name does here", id="an issuer's"),
        pytest.param(["a", "b", "--map", "{file}"], "x\ty", "or --map FILE, not both", id="both"),
        pytest.param(["--map", "{file}", "--uid", "u"], "x\ty\nz\ty", "--uid goes with OLD and NEW", id="a map and an object"),
        pytest.param(["--map", "{file}"], "x y", "line 1: two names with a tab", id="no tab"),
        pytest.param(["--map", "{file}"], "x\ty\nx\tz", "line 2: the old name stands there twice", id="twice"),
        pytest.param(["--map", "{file}"], "x\ty\ny\tz", "y is an old name, too", id="one behind the other"),
        pytest.param(["--map", "{file}"], "x\t\udcff", "is not in UTF-8", id="not UTF-8"),
    ],
)  # fmt: skip
def test_mistake_is_told_before_anything_moves(
    place: Place, words: list[str], lines: str | None, fault: str
) -> None:
    file = place.kms.directory / "faulty.tsv"
    file.write_bytes((lines or "").encode("utf-8", "surrogateescape"))
    issuer = place.kms.issuers[0].uri
    line = place.transfer(*(word.format(file=file, issuer=issuer) for word in words), code=2)
    assert fault in line
    assert line.count("\n") == 1


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = run("transfer", "a", "b", "--insecure-no-auth", "--data-dir", "data", cwd=tmp_path)
    assert done.returncode in {1, 2}
    assert list((tmp_path / "data").iterdir()) == []


def test_names_of_an_issuer_are_asked_for_where_names_have_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    trust = (
        "--jwt-issuer-uri",
        "https://a.example",
        "--jwt-user-namespace",
        "issuer",
        "--data-dir",
        "data",
    )
    done = run("transfer", "https://a.example#a", "b", *trust, cwd=tmp_path)
    assert done.returncode == 2
    assert "b does not begin with an issuer and #, as names do here" in done.stderr


# --- another naming -----------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_objects_get_the_names_of_another_naming_and_the_start_that_was_refused_serves(
    database: str, tmp_path: Path
) -> None:
    options = make_database(database)
    with Issuer("ES256") as issuer:
        same = ["--jwt-issuer-uri", issuer.uri, "--data-dir", str(tmp_path / "data"), *options]
        by_issuer = [*same, "--jwt-user-namespace", "issuer"]
        by_email = [*by_issuer, "--jwt-user-claim", "email"]

        def transfer(*words: str) -> tuple[int, str]:
            done = run("transfer", "--naming", *words, cwd=tmp_path)
            return done.returncode, done.stdout + done.stderr

        with KMS(tmp_path, issuer, options=options) as kms:
            alice, bob = kms.user("alice"), kms.user("bob")
            key = alice.create()
            alice.grant(key, bob, "get")
            code, said = transfer(*by_issuer)
            assert code == 2
            assert "a server has the database open: stop all servers" in said
        refused = run(*by_issuer, "--port", "0", cwd=tmp_path)
        assert refused.returncode == 2
        assert "kms-tornado transfer --naming --issuer URI" in refused.stderr
        assert transfer("--dry-run", *by_issuer) == (
            0,
            "1 object would get the new names of users\n",
        )
        assert transfer(*by_issuer) == (0, "1 object got the new names of users\n")
        assert transfer(*by_issuer) == (0, "users are named so already\n")
        with KMS(tmp_path, issuer, options=[*options, "--jwt-user-namespace", "issuer"]) as kms:
            assert kms.user("alice").key_of(key)
            assert kms.user("alice").grants_on(key) == {f"{issuer.uri}#bob": ["get"]}
            assert kms.user("bob").key_of(key)
        (tmp_path / "names.tsv").write_text(f"{issuer.uri}#alice\t{issuer.uri}#alice@x\n")
        code, said = transfer("--map", "names.tsv", *by_email)
        assert code == 2
        assert f"the map has no new name for {issuer.uri}#bob" in said
        with (tmp_path / "names.tsv").open("a") as file:
            file.write(f"{issuer.uri}#bob\t{issuer.uri}#bob@x\n")
        assert transfer("--map", "names.tsv", *by_email)[0] == 0
        assert run(*by_issuer, "--port", "0", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        pytest.param(["a", "b"], "--naming moves everything", id="names"),
        pytest.param(["--uid", "u"], "--naming moves everything", id="an object"),
        pytest.param(["--jwt-user-claim", "email"], "--map FILE is needed", id="a claim without a map"),
        pytest.param(["--jwt-user-claim", "email", "--jwt-user-namespace", "issuer"], "one after the other", id="both"),
        pytest.param(["--jwt-user-namespace", "issuer", "--issuer", "https://x.example"], "--issuer URI is needed", id="an issuer that is not configured"),
        pytest.param(["--jwt-user-namespace", "issuer", "--map", "{file}"], "--map FILE goes with another", id="a map for a namespace"),
        pytest.param([], "a server has the database open", id="servers at work"),
    ],
)  # fmt: skip
def test_move_to_a_naming_that_cannot_be_meant_so_is_refused(
    place: Place, old: User, words: list[str], fault: str
) -> None:
    old.create()
    file = place.kms.directory / "map.tsv"
    file.write_text("x\ty\n")
    # What is rehearsed needs no stop of the servers.
    rehearsal = [] if words == [] else ["--dry-run"]
    words = [word.format(file=file) for word in words]
    line = place.transfer("--naming", *rehearsal, *words, code=2)
    assert fault in line
    assert line.count("\n") == 1
    assert place.transfer("--issuer", "https://x.example", code=2).count(
        "--issuer goes with --naming"
    )
