"""Requests of docs/operations.md and docs/http.md are sent to a server; the answers are what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from ..issuer import Issuer
from ..kmip_items import number
from ..kms import KMS, User
from .blocks import ROOT, Block, blocks
from .placeholders import Values

PAGE = "docs/operations.md"
WHOAMI, *RIGHTS = blocks("docs/http.md", "json")


def exchanges() -> list[tuple[Block, Block]]:
    """(request, answer), in the order of the page."""
    examples = [each for each in blocks(PAGE) if each.language in {"json", "text"}]
    pairs = list(pairwise(examples))[::2]
    assert len(examples) == 2 * len(pairs), "a request without an answer"
    return pairs


BLOCKS = [*(each for pair in exchanges() for each in pair), WHOAMI, *RIGHTS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    directory = tmp_path_factory.mktemp("docs")
    with (
        Issuer("ES256") as issuer,
        KMS(
            directory, issuer, options=["--kmip-interop", "--metrics", "--jwt-group-claim=groups"]
        ) as kms,
    ):
        yield kms


def test_every_answer_is_what_the_server_says(server: KMS) -> None:
    user = server.user()
    values = Values()
    for request, shown in exchanges():
        answer = user.send(json.loads(values.fill(request.text)))
        try:
            if shown.language == "json":
                assert answer.status == 200, answer.text
                values.match_json(json.loads(shown.text), json.loads(answer.body))
            else:
                assert answer.status == 422, answer.text
                values.match_text(shown.text.strip(), answer.text)
        except AssertionError as exc:
            exc.add_note(f"the answer at {shown.place}")
            raise


def test_caller_is_described_as_shown(server: KMS) -> None:
    shown = json.loads(WHOAMI.text)
    token = server.issuers[0].token(
        sub=shown["subject"],
        exp=shown["expires_at"],
        scope=" ".join(shown["scopes"]),
        groups=[name.removeprefix("group:") for name in shown["groups"]],
    )
    answer = User(server.port, token).exchange("GET", "/whoami")
    assert json.loads(answer.body) == {**shown, "issuer": server.issuers[0].uri}


def test_access_rights_are_granted_and_listed_as_shown(server: KMS) -> None:
    grant, granted, listed, owned, obtained, objects = (json.loads(each.text) for each in RIGHTS)
    alice, bob = server.user("alice@example.com"), server.user(grant["user_id"])
    alice.import_key("billing-1", bytes(16), number("CryptographicUsageMask", 12))

    def ask(user: User, method: str, path: str, body: object = None) -> object:
        data = b"" if body is None else json.dumps(body).encode()
        answer = user.exchange(method, path, data)
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    assert ask(alice, "POST", "/access/grant", grant) == granted
    assert ask(alice, "GET", "/access/list/billing-1") == listed
    assert ask(alice, "GET", "/access/owned") == owned
    assert ask(bob, "GET", "/access/obtained") == obtained
    (told,) = ask(alice, "GET", "/objects?text=billing-1")
    assert set(told) == set(objects[0])
    assert set(told["attributes"]) <= set(objects[0]["attributes"])


def test_every_metric_is_listed(server: KMS) -> None:
    user = server.user()
    user.create()
    text = user.exchange("GET", "/metrics").text
    names = re.findall(r"^# TYPE (kms_\w+) ", text, re.MULTILINE)
    listed = (ROOT / "docs/operating.md").read_text()
    assert "kms_operations_total" in names
    missing = [name for name in names if not name.endswith("_created") and name not in listed]
    assert missing == []


def test_every_operation_of_the_table_has_an_example() -> None:
    headings = re.findall(r"^## (\w+)$", (ROOT / PAGE).read_text(), re.MULTILINE)
    table = (ROOT / "docs/keys.md").read_text().partition("<!-- operations:")[2]
    operations = re.findall(r"^\| (\w+) \|", table.partition("<!-- end -->")[0], re.MULTILINE)
    assert sorted(headings) == sorted(name for name in operations if name != "operation")
    for heading in headings:
        assert any(json.loads(request.text)["tag"] == heading for request, _ in exchanges())
