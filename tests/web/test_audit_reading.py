"""Who may read which records at `/audit`, and how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from ..issuer import Issuer
from ..kmip_items import attributes, import_items, name, structure, uid
from ..rows import each_row
from ..server import ServerProcess, eventually, serving, trusting
from ..support import Response

CREATE = structure("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256, mask=12))
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("audit")
    options = trusting(issuer, "--data-dir", str(directory / "data"), "--auditors", CAROL)
    with serving(*options, cwd=directory) as running:
        yield running


class Users:
    """Asks the server in the names of users."""

    def __init__(self, server: ServerProcess, issuer: Issuer) -> None:
        self.server, self.issuer = server, issuer

    def send(self, user: str, item: Any, path: str = "/kmip_2_1") -> Response:
        token = self.issuer.token(aud="kms", sub=user)
        return self.server.client.request("POST", path, token=token, body=json.dumps(item).encode())

    def create(self, user: str) -> str:
        answer = self.send(user, CREATE).json()
        return str(next(x["value"] for x in answer["value"] if x["tag"] == "UniqueIdentifier"))

    def get(self, user: str, key: str) -> Response:
        return self.send(user, structure("Get", uid(key)))

    def ask(self, user: str, query: str = "") -> Response:
        return self.server.client.get(
            f"/audit{query}", token=self.issuer.token(aud="kms", sub=user)
        )

    def read(self, user: str, **parameters: str) -> list[dict[str, Any]]:
        """The records, once those that wait in memory are on disk."""
        answer = self.ask(user, f"?{urlencode(parameters)}")
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert answer.headers["Cache-Control"] == "no-store"
        return [json.loads(line) for line in answer.body.splitlines()]


@pytest.fixture(scope="module")
def users(server: ServerProcess, issuer: Issuer) -> Users:
    return Users(server, issuer)


@pytest.fixture(scope="module")
def key(users: Users) -> str:
    """A key of Alice's, which Bob tried to get, was let get, and got; and Carol tried to."""
    made = users.create(ALICE)
    users.get(BOB, made)
    members = {"unique_identifier": made, "user_id": BOB, "operation_types": ["get"]}
    users.send(ALICE, members, "/access/grant")
    users.get(BOB, made)
    users.get(ALICE, made)
    users.get(CAROL, made)
    eventually(lambda: len(users.read(CAROL, uid=made, operation="Get")) == 4)
    return made


def tell(records: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(record["principal"], record["operation"], record["result"]) for record in records]


ON_THE_KEY = [
    (CAROL, "Get", "Failed"), (ALICE, "Get", "Success"), (BOB, "Get", "Success"),
    (ALICE, "AccessGrant", "Success"), (BOB, "Get", "Failed"), (ALICE, "Create", "Success"),
]  # fmt: skip


def test_owner_reads_all_records_of_the_own_object_the_newest_first(users: Users, key: str) -> None:
    assert tell(users.read(ALICE, uid=key)) == ON_THE_KEY


def test_who_has_but_a_right_reads_the_own_doings_alone(users: Users, key: str) -> None:
    expected = [row for row in ON_THE_KEY if row[0] == BOB]
    assert tell(users.read(BOB, uid=key)) == expected


def test_owner_reads_what_others_did_with_any_own_object(users: Users, key: str) -> None:
    told = [row for row in tell(users.read(ALICE)) if row[1] != "AuditRead"]
    assert told == ON_THE_KEY
    assert tell(users.read(ALICE, principal=BOB)) == [row for row in ON_THE_KEY if row[0] == BOB]


def test_who_owns_nothing_reads_the_own_doings(users: Users, key: str) -> None:
    records = users.read(BOB)
    assert {record["principal"] for record in records} == {BOB}
    used = [record for record in records if record["operation"] != "AuditRead"]
    assert tell(used) == [row for row in ON_THE_KEY if row[0] == BOB]


def test_who_takes_an_identifier_reads_nothing_that_others_asked_for_under_it(users: Users) -> None:
    users.get("victim", "taken")
    eventually(lambda: users.read(CAROL, uid="taken"))
    assert (
        users.send("mallory", structure("Import", *import_items("taken", bytes(32)))).status == 200
    )
    eventually(lambda: users.read("mallory", uid="taken"))
    users.get("victim", "taken")
    expected = [("victim", "Get", "Failed"), ("mallory", "Import", "Success")]
    eventually(lambda: tell(users.read("mallory", uid="taken")) == expected)
    told = tell(users.read("mallory"))
    assert [row for row in told if row[1] != "AuditRead"] == expected


def test_auditor_reads_everything(users: Users, key: str) -> None:
    records = users.read(CAROL, limit="1000")
    assert {ALICE, BOB, CAROL, None} <= {record["principal"] for record in records}
    assert {"ServerStart", "ChainBegin", "Create"} <= {record["operation"] for record in records}
    assert tell(users.read(CAROL, uid=key)) == ON_THE_KEY
    assert {record["principal"] for record in users.read(CAROL, principal=BOB)} == {BOB}


def test_who_reads_the_audit_is_recorded(users: Users, key: str) -> None:
    answer = users.ask(CAROL, f"?principal={BOB}&uid={key}&limit=1")

    def find() -> list[dict[str, Any]]:
        return [
            record
            for record in users.read(CAROL, principal=CAROL, operation="AuditRead")
            if record["request_id"] == answer.headers["X-Request-ID"]
        ]

    ((record,),) = (eventually(find),)
    assert (record["result"], record["detail"]) == ("Success", {"principal": BOB, "uid": key})
    assert record["uid"] is None


def test_what_others_did_with_others_objects_is_not_told(users: Users, key: str) -> None:
    for query in (f"?principal={ALICE}", f"?uid={key}&principal={ALICE}", "?result=Refused"):
        answer = users.ask(BOB, query)
        assert (answer.status, answer.body, "Link" in answer.headers) == (200, b"", False)


def test_whose_name_records_cut_reads_nothing(users: Users) -> None:
    answer = users.ask("b" * 255)
    assert (answer.status, answer.json()["error"]) == (403, "access_denied")


def test_identifier_of_a_stranger_reads_as_one_that_was_never_there(users: Users, key: str) -> None:
    mine, none = users.ask("dave", f"?uid={key}"), users.ask("dave", "?uid=never")
    assert (mine.status, mine.body, "Link" in mine.headers) == (200, b"", False)
    assert (none.status, none.body, "Link" in none.headers) == (200, b"", False)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"operation": "AccessGrant"}, [3]),
        ({"operation": "access_grant"}, [3]),
        ({"operation": "CREATE"}, [5]),
        ({"operation": "Get", "result": "Failed"}, [0, 4]),
        ({"operation": "Get", "principal": BOB}, [2, 4]),
        ({"operation": "Get", "limit": "1"}, [0]),
        ({"operation": "Create", "since": "2000-01-01"}, [5]),
        ({"operation": "Create", "since": "2100-01-01T00:00:00Z"}, []),
        ({"operation": "Create", "until": "2100-01-01T00:00:00+01:00"}, [5]),
        ({"operation": "Create", "until": "2000-01-01T00:00:00.5Z"}, []),
        ({"operation": "Decrypt"}, []),
    ],
)
def test_filters_are_all_met(
    users: Users, key: str, parameters: dict[str, str], expected: list[int]
) -> None:
    found = tell(users.read(ALICE, uid=key, **parameters))
    assert found == [ON_THE_KEY[place] for place in expected]


def test_times_are_those_that_records_have(users: Users, key: str) -> None:
    records = users.read(ALICE, uid=key)
    since, until = records[3]["time"], records[1]["time"]
    between = users.read(ALICE, uid=key, since=since, until=until)
    assert between == [one for one in records if since <= one["time"] <= until]


def test_pages_follow_one_another_by_the_link_and_repeat_nothing(users: Users, key: str) -> None:
    query, pages = f"?uid={key}&operation=Get&limit=1", []
    while query:
        answer = users.ask(ALICE, query)
        pages.append([json.loads(line) for line in answer.body.splitlines()])
        link = answer.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        query = link.removesuffix('>; rel="next"').removeprefix("<")
    assert [tell(page) for page in pages] == [[ON_THE_KEY[place]] for place in (0, 1, 2, 4)]


@each_row(
    "query",
    [
        "uid=", f"uid={'a' * 255}", "uid=a&uid=b", "uid=%ff", "principal=", "operation=", "operation=Get%00",
        f"operation={'A' * 41}", "result=success", "since=", "since=yesterday", "since=2026-13-01",
        "since=2026-11-29T11:45:00", "since=2026-11-29T11:45:00%2B99:99",
        "until=1e9", "since=%D9%A2026-11-29", "limit=0", "limit=1001", "limit=-1",
        "limit=%D9%A2", "limit=1.0", "limit=9999999999999999999", "cursor=", "cursor=1.2", "cursor=1.2.3.4.5",
        "cursor=1'--", f"cursor={'9' * 16}", "access_token=x", "principals=bob", "=", "uid[]=a",
    ],
)  # fmt: skip
def test_parameter_that_is_none_is_refused_with_what_it_may_be(users: Users, query: str) -> None:
    answer = users.ask(ALICE, f"?{query}")
    assert answer.status == 400
    assert answer.json()["error"] == "invalid_request"
    named = query.split("=")[0]
    if named in ("uid", "principal", "operation", "result", "since", "until", "limit", "cursor"):
        assert answer.json()["error_description"].startswith((f"{named}:", "the parameters are no"))


@each_row(
    "query",
    [
        "uid=%22%5C", "uid=a%00b", "uid=%F0%9F%94%91", "principal=%27%3B--", "since=0001-01-01T00:00:00%2B23:00",
        "until=9999-12-31T23:59:59-23:59",
        "cursor=0", "cursor=999999999999999", "cursor=1.0.0.0", "cursor=999999999999999.1.1.1", "uid=[%22a%22]",
    ],
)  # fmt: skip
def test_odd_parameter_is_taken_as_it_is(users: Users, query: str) -> None:
    assert users.ask(CAROL, f"?{query}").status == 200


def test_odd_identifier_is_found(users: Users) -> None:
    odd = 'a"\\\u2028 Zoë 🔑'
    users.get(ALICE, odd)
    eventually(lambda: [record["uid"] for record in users.read(CAROL, uid=odd)][-1:] == [odd])
    assert users.ask(ALICE, f"?uid={quote(odd)}").status == 200


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("HEAD", 405)])
def test_audit_is_only_read(users: Users, method: str, status: int) -> None:
    token = users.issuer.token(aud="kms", sub=CAROL)
    assert users.server.client.request(method, "/audit", token=token).status == status


def test_stranger_reads_nothing(users: Users) -> None:
    assert users.server.client.get("/audit").status == 401


def test_caller_is_told_whether_all_may_be_read(users: Users) -> None:
    told = {
        user: users.server.client.get(
            "/whoami", token=users.issuer.token(aud="kms", sub=user)
        ).json()
        for user in (ALICE, CAROL)
    }
    assert [told[user]["may_read_whole_audit"] for user in (ALICE, CAROL)] == [False, True]
