"""Every request on a protected route leaves a record, whichever way it goes and however it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..audit_rows import find_records, read_records
from ..issuer import Issuer
from ..kmip_items import attributes, batch_item, message, name, structure, uid
from ..server import ServerProcess, eventually, serving, trusting
from ..support import Response

CREATE = structure("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256, mask=12))
PROTECTED = ("/kmip_2_1", "/kmip", "/whoami", "/access/owned", "/access/obtained", "/access/list/a")


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("audit")
    data = ("--data-dir", str(directory / "data"))
    rules = ("--max-body-size", "10000", "--jwt-required-claim", "may=anything")
    options = trusting(issuer, *data, *rules)
    soon = {"service.auditing.trail._WAIT_S": 0.02}  # which a record of a read waits for others
    with serving(*options, cwd=directory, constants=soon) as running:
        yield running


def records_of(server: ServerProcess, answer: Response) -> list[dict[str, Any]]:
    """The records of the request; waits until there are some."""
    request_id = answer.headers["X-Request-ID"]

    found = eventually(lambda: find_records(database_of(server), request_id=request_id))
    assert isinstance(found, list)
    return found


def database_of(server: ServerProcess) -> Path:
    return Path(server.cwd) / "data/kms.db"


def good(issuer: Issuer) -> str:
    return issuer.token(aud="kms", may="anything")


def post(server: ServerProcess, issuer: Issuer, item: Any, path: str = "/kmip_2_1") -> Response:
    return server.client.request("POST", path, token=good(issuer), body=json.dumps(item).encode())


@pytest.mark.parametrize("path", PROTECTED)
def test_refusal_of_a_stranger_is_a_record(server: ServerProcess, path: str) -> None:
    answer = server.client.get(path)
    assert answer.status == 401
    (record,) = records_of(server, answer)
    assert (record["operation"], record["result"]) == ("Request", "Refused")
    assert record["reason"] not in (None, "HTTP 401")
    assert (record["principal"], record["remote_ip"]) == (None, "127.0.0.1")


def test_refusal_of_a_bad_token_says_which_check_failed(
    server: ServerProcess, issuer: Issuer
) -> None:
    answer = server.client.get("/whoami", token=issuer.token(aud="kms", exp=1))
    (record,) = records_of(server, answer)
    assert record["reason"] == "expired"


@pytest.mark.parametrize("path", PROTECTED)
def test_refusal_of_a_good_token_that_does_not_suffice_names_its_user(
    server: ServerProcess, issuer: Issuer, path: str
) -> None:
    answer = server.client.get(path, token=issuer.token(aud="kms", sub="mallory"))
    assert answer.status == 403
    (record,) = records_of(server, answer)
    assert (record["result"], record["reason"]) == ("Refused", "scope")
    assert (record["principal"], record["issuer"]) == ("mallory", issuer.uri)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/kmip_2_1", 405), ("PUT", "/whoami", 405), ("POST", "/access/owned", 405)],
)
def test_wrong_method_is_a_record_of_the_principal(
    server: ServerProcess, issuer: Issuer, method: str, path: str, status: int
) -> None:
    answer = server.client.request(method, path, token=good(issuer))
    assert answer.status == status
    (record,) = records_of(server, answer)
    assert (record["result"], record["reason"]) == ("Refused", f"HTTP {status}")
    assert record["principal"] is not None


def test_body_that_is_too_large_is_a_record(server: ServerProcess, issuer: Issuer) -> None:
    answer = post(server, issuer, "x" * 20_000)
    assert answer.status == 413
    (record,) = records_of(server, answer)
    assert (record["result"], record["reason"]) == ("Refused", "HTTP 413")


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/whoami", "WhoAmI"),
        ("/access/owned", "AccessOwned"),
        ("/access/obtained", "AccessObtained"),
    ],
)
def test_read_is_a_record(server: ServerProcess, issuer: Issuer, path: str, operation: str) -> None:
    (record,) = records_of(server, server.client.get(path, token=good(issuer)))
    assert (record["operation"], record["result"]) == (operation, "Success")


@pytest.mark.parametrize("repeat", [1, 2], ids=["the long way", "the fast lane"])
def test_operation_is_one_record_whichever_way_it_goes(
    server: ServerProcess, issuer: Issuer, repeat: int
) -> None:
    token = issuer.token(aud="kms", sub=f"user {repeat}", may="anything")
    body = json.dumps(CREATE).encode()
    for _ in range(repeat):
        answer = server.client.request("POST", "/kmip_2_1", token=token, body=body)
    assert answer.status == 200
    (record,) = records_of(server, answer)
    assert (record["operation"], record["result"]) == ("Create", "Success")
    ((made, was, code),) = record["objects"]
    assert (made, was) == (record["uid"], None)
    assert made in answer.text
    assert len(code) == 32


@pytest.mark.parametrize(
    ("item", "operation", "reason"),
    [
        pytest.param(structure("Get", uid("absent")), "Get", "Item_Not_Found", id="not there"),
        pytest.param({"tag": "Nonsense"}, "Request", "Invalid_Message", id="no operation"),
        pytest.param(structure("Get", uid("[")), "Get", None, id="no list of tags"),
    ],
)
def test_failure_is_a_record(
    server: ServerProcess, issuer: Issuer, item: Any, operation: str, reason: str | None
) -> None:
    answer = post(server, issuer, item)
    assert answer.status == 422
    (record,) = records_of(server, answer)
    assert (record["operation"], record["result"]) == (operation, "Failed")
    assert record["reason"] == (reason or answer.text.partition(":")[0])


def test_token_in_place_of_a_name_is_in_no_record(server: ServerProcess, issuer: Issuer) -> None:
    given = f"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.{'c' * 86}"
    made = post(server, issuer, CREATE).json()["value"]
    key = next(item["value"] for item in made if item["tag"] == "UniqueIdentifier")
    grant = {"user_id": given, "operation_types": ["get"]}
    answers = [
        server.client.request("GET", f"/access/list/{given}", token=good(issuer)),
        post(server, issuer, structure("Get", uid(given))),
        post(server, issuer, {"unique_identifier": given, **grant}, "/access/grant"),
        post(server, issuer, {"unique_identifier": key, **grant}, "/access/grant"),
    ]
    for answer, told in zip(answers, ("[token]", "[token]", "[token]", key), strict=True):
        assert answer.status == 422
        (record,) = records_of(server, answer)
        assert record["uid"] == told
        assert given.split(".")[1] not in json.dumps(record)
    assert answers[3].text == "Invalid_Field: user_id is a token: give the name of its user"


def test_each_item_of_a_message_is_a_record(server: ServerProcess, issuer: Issuer) -> None:
    items = [batch_item("Create", *CREATE["value"]), batch_item("Get", uid("absent"))]
    answer = post(server, issuer, message(*items), "/kmip")
    records = {record["item"]: record for record in records_of_all(server, answer, 2)}
    assert records["1/2"]["result"] == "Success"
    assert records["2/2"]["reason"] == "Item_Not_Found"


def test_item_that_was_taken_back_is_undone(server: ServerProcess, issuer: Issuer) -> None:
    items = [batch_item("Create", *CREATE["value"]), batch_item("Get", uid("absent"))]
    undo = [name("BatchErrorContinuationOption", "Undo")]
    answer = post(server, issuer, message(*items, header=undo), "/kmip")
    records = {record["item"]: record for record in records_of_all(server, answer, 2)}
    assert records["1/2"]["result"] == "Undone"
    assert "objects" not in records["1/2"]
    assert records["2/2"]["result"] == "Failed"


def records_of_all(server: ServerProcess, answer: Response, number: int) -> list[dict[str, Any]]:
    """As `records_of`; waits for so many."""
    eventually(lambda: len(records_of(server, answer)) >= number)
    records = records_of(server, answer)
    assert len(records) == number
    return records


def test_paths_without_a_token_leave_no_record(server: ServerProcess, issuer: Issuer) -> None:
    for path in ("/version", "/health", "/ready", "/openapi.json", "/absent"):
        server.client.get(path)
    answer = server.client.get("/whoami", token=good(issuer))
    records_of(server, answer)  # what was before it is on disk, too
    lines = json.dumps(read_records(database_of(server)))
    assert "HTTP 404" not in lines
    assert '"HTTP 200"' not in lines
