"""The OpenAPI document: valid, complete, and true: a real server is asked what its examples show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from tornado.web import Application

from kms_tornado import BearerAuth, __version__, handlers
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.kmip.tables import OPERATION_TAGS
from kms_tornado.service.catalogue import CATALOGUE, select_operations
from kms_tornado.web.app import METRICS_ROUTE, ROUTES
from kms_tornado.web.handlers.protected_handler import ProtectedHandler
from kms_tornado.web.handlers.service_handler import _implemented_methods
from kms_tornado.web.openapi import describe_api, document_path

from ..issuer import Issuer
from ..rows import each_row
from ..server import NO_AUTH, ServerProcess, eventually, serving, trusting
from ..support import Client, Response, running

ALL_ROUTES = [*ROUTES, METRICS_ROUTE]
DOCUMENT = describe_api(
    [route for route, _ in ALL_ROUTES],
    prefix="",
    issuers=("https://login.example.com/",),
    operations=tuple(CATALOGUE),
)


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("openapi")
    with serving(*trusting(issuer, *OPTIONS), cwd=directory) as server:
        eventually(lambda: server.client.get("/ready").status == 200)
        yield server


OPTIONS = ("--max-body-size", "100000", "--jwt-group-claim", "groups")


@pytest.fixture(scope="module")
def document(server: ServerProcess) -> dict[str, Any]:
    answer = server.client.get("/openapi.json")
    assert answer.status == 200
    document: dict[str, Any] = answer.json()
    return document


# The libraries take half a second to load, and each process of the tests reads this file: hence the imports below.


def find_faults(document: dict[str, Any]) -> list[Any]:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    return list(OpenAPIV31SpecValidator(document).iter_errors())


def check_against(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    from jsonschema import Draft202012Validator

    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def responses_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{status: response}, references resolved."""
    return {
        status: (
            document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            if "$ref" in response
            else response
        )
        for status, response in operation["responses"].items()
    }


def check_answer(document: dict[str, Any], operation: dict[str, Any], answer: Response) -> None:
    """The answer has a status, a type and a body that the document tells of."""
    response = responses_of(document, operation)[str(answer.status)]
    media_type = answer.headers["Content-Type"].partition(";")[0]
    media = response["content"][media_type]
    if media.get("schema"):
        body = answer.json() if media_type == "application/json" else answer.text
        check_against(document, media["schema"], body)
    for name, header in response.get("headers", {}).items():
        is_required = "$ref" in header or header.get("required", False)
        assert not is_required or name in answer.headers


# --- the document ---------------------------------------------------------------------------------


def test_document_is_valid(document: dict[str, Any]) -> None:
    for each in (document, DOCUMENT):
        assert find_faults(each) == []


@each_row(("route", "handler"), ALL_ROUTES, ids=[route for route, _ in ALL_ROUTES])
def test_every_route_is_described_with_its_methods_and_its_need_of_a_token(
    route: str, handler: Any
) -> None:
    entry = DOCUMENT["paths"][document_path(route)]
    # HEAD is GET without the body, wherever there is one (RFC 9110 §9.3.2).
    assert {method.upper() for method in entry} == set(_implemented_methods(handler)) - {"HEAD"}
    for operation in entry.values():
        assert bool(operation["security"]) == issubclass(handler, ProtectedHandler)


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Without authentication, and with all that is off otherwise."""
    directory = tmp_path_factory.mktemp("open")
    with serving(*NO_AUTH, "--metrics", "--kmip-interop", cwd=directory) as server:
        yield server


def test_nothing_is_described_that_is_not_served(
    document: dict[str, Any], open_server: ServerProcess
) -> None:
    assert set(document["paths"]) == {document_path(route) for route, _ in ROUTES}
    with_metrics = open_server.client.get("/openapi.json").json()
    assert set(with_metrics["paths"]) - set(document["paths"]) == {"/metrics"}
    metrics = with_metrics["paths"]["/metrics"]["get"]
    check_answer(with_metrics, metrics, open_server.client.get("/metrics"))


def test_every_offered_operation_has_its_fields(document: dict[str, Any]) -> None:
    offered = [OPERATION_TAGS[operation] for operation in select_operations(kmip_interop=False)]
    schemas = document["components"]["schemas"]
    mapping = schemas["Operation"]["discriminator"]["mapping"]
    assert list(mapping) == offered
    encrypt = schemas["EncryptRequest"]["properties"]["value"]["items"]["properties"]["tag"]["enum"]
    assert {"Data", "UniqueIdentifier", "IVCounterNonce", "IvCounterNonce"} <= set(encrypt)


def test_tokens_come_from_the_issuers_that_are_urls(
    document: dict[str, Any], issuer: Issuer
) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["issuer1"] == {
        "type": "openIdConnect",
        "openIdConnectUrl": f"{issuer.uri}/.well-known/openid-configuration",
    }
    assert document["paths"]["/whoami"]["get"]["security"] == [{"bearer": []}, {"issuer1": []}]
    only_named = describe_api(["/whoami"], prefix="", issuers=("urn:issuer",), operations=())
    assert set(only_named["components"]["securitySchemes"]) == {"bearer"}


def test_document_asks_for_no_token_where_none_is_checked(open_server: ServerProcess) -> None:
    document = open_server.client.get("/openapi.json").json()
    assert list(protected(document)) == []
    assert "InteropRequest" in document["components"]["schemas"]


def test_document_names_the_version_and_needs_no_token(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == __version__
    assert document["paths"]["/openapi.json"]["get"]["security"] == []


def test_client_that_has_the_document_is_not_sent_it_again(server: ServerProcess) -> None:
    answer = server.client.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-cache"
    etag = answer.headers["ETag"]
    again = server.client.get("/openapi.json", headers={"If-None-Match": etag})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert server.client.get("/openapi.json", headers={"If-None-Match": '"x"'}).status == 200


def test_paths_of_a_mounted_kms_are_found_below_its_prefix(tmp_path: Path) -> None:
    kms = handlers("/keys/kms", auth=InsecureNoAuth("somebody"), data_dir=tmp_path / "data")
    with running(lambda: Application(kms)) as client:
        assert client.get("/keys/kms/openapi.json").status == 503
    with running(lambda: Application(kms), kms) as client:
        document = client.get("/keys/kms/openapi.json").json()
        assert find_faults(document) == []
        for path, entry in document["paths"].items():
            if "get" in entry and "{" not in path:
                base = entry.get("servers", document["servers"])[0]["url"]
                url = urljoin("http://kms/keys/kms/openapi.json", base).rstrip("/") + path
                answer = client.get(urlsplit(url).path)
                assert answer.status == 200, url
                check_answer(document, entry["get"], answer)


# --- the examples ---------------------------------------------------------------------------------


def request_examples(operation: dict[str, Any]) -> dict[str, Any]:
    """{name: body}, of a POST in JSON."""
    content = operation["requestBody"]["content"]["application/json"]
    return {name: example["value"] for name, example in content["examples"].items()}


def documented_answer(operation: dict[str, Any], name: str) -> tuple[int, str, Any]:
    """(status, media type, body) of the answer's example of this name."""
    found = [
        (int(status), media_type, media["examples"][name]["value"])
        for status, response in operation["responses"].items()
        for media_type, media in response.get("content", {}).items()
        if name in media.get("examples", {})
    ]
    assert len(found) == 1, name
    return found[0]


def check_example(
    document: dict[str, Any], operation: dict[str, Any], name: str, answer: Response
) -> None:
    status, media_type, shown = documented_answer(operation, name)
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"].startswith(media_type)
    check_answer(document, operation, answer)
    if media_type == "text/plain":
        assert answer.text == shown
    else:
        assert shape_of(answer.json()) == shape_of(shown)


def shape_of(value: Any) -> Any:
    """The value without what differs from run to run: byte strings, dates and texts about the caller."""
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    if isinstance(value, dict):
        is_random = value.get("type") in {"ByteString", "DateTime"}
        return {
            name: "…" if is_random and name == "value" else shape_of(item)
            for name, item in value.items()
        }
    return value


def test_every_example_is_answered_as_it_says(server: ServerProcess, issuer: Issuer) -> None:
    alice = issuer.token(aud="kms", sub="alice@example.com")
    document = server.client.get("/openapi.json").json()
    paths = document["paths"]

    def post(path: str) -> None:
        operation = paths[path]["post"]
        for name, body in request_examples(operation).items():
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            if name != "misspelt":
                check_against(document, schema, body)
            check_example(
                document, operation, name, server.client.post(path, token=alice, body=body)
            )

    for path in ("/kmip_2_1", "/kmip", "/access/grant"):
        post(path)
    listing = paths["/access/list/{uid}"]["get"]
    for name, example in listing["parameters"][0]["examples"].items():
        answer = server.client.get(f"/access/list/{quote(example['value'])}", token=alice)
        check_example(document, listing, name, answer)
    shown = documented_answer(paths["/access/owned"]["get"], "owned")[2]
    (owned,) = server.client.get("/access/owned", token=alice).json()
    assert owned.keys() == shown[0].keys()
    # How often it was used so far, nobody knows.
    assert {**owned, **{name: shown[0][name] for name in ("uses", "last_used")}} == shown[0]
    post("/access/revoke")


def test_every_get_is_answered_as_it_says(
    server: ServerProcess, issuer: Issuer, document: dict[str, Any]
) -> None:
    alice = issuer.token(
        aud="kms", sub="alice@example.com", exp=4102444800, scope="kms:use", groups=["billing"]
    )
    for path, entry in document["paths"].items():
        if "get" in entry and "{" not in path:
            answer = server.client.get(path, token=alice)
            assert answer.status == 200
            check_answer(document, entry["get"], answer)
    shown = documented_answer(document["paths"]["/whoami"]["get"], "whoami")[2]
    answer = server.client.get("/whoami", token=alice).json()
    assert answer == {**shown, "issuer": issuer.uri}


def test_every_example_of_an_answer_fits_its_schema() -> None:
    shown = 0
    for operation in (each for entry in DOCUMENT["paths"].values() for each in entry.values()):
        for response in responses_of(DOCUMENT, operation).values():
            for media in response.get("content", {}).values():
                for example in media.get("examples", {}).values():
                    check_against(DOCUMENT, media["schema"], example["value"])
                    shown += 1
    assert shown > 50


# --- refusals -------------------------------------------------------------------------------------


def protected(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of what needs a token."""
    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            if operation["security"]:
                yield method.upper(), path.replace("{uid}", "some-key"), operation


def test_refused_tokens_are_answered_as_documented(
    server: ServerProcess, issuer: Issuer, document: dict[str, Any]
) -> None:
    expired = issuer.token(aud="kms", exp=1)
    for method, path, operation in protected(document):
        for authorization, status in ((None, 401), ("Bearer", 400), (f"Bearer {expired}", 401)):
            headers = {} if authorization is None else {"Authorization": authorization}
            answer = server.client.request(method, path, headers=headers, body=b"{}")
            assert answer.status == status
            check_answer(document, operation, answer)


def test_bodies_that_are_refused_are_answered_as_documented(
    server: ServerProcess, issuer: Issuer, document: dict[str, Any]
) -> None:
    token = issuer.token(aud="kms")
    for method, path, operation in protected(document):
        if method == "POST":
            for body, statuses in ((b"{", {422}), (b"{}", {200, 422}), (b" " * 100_001, {413})):
                answer = server.client.post(path, token=token, body=body)
                assert answer.status in statuses
                check_answer(document, operation, answer)


def test_unreadable_identifier_is_answered_as_documented(
    server: ServerProcess, issuer: Issuer, document: dict[str, Any]
) -> None:
    answer = server.client.get("/access/list/%ff", token=issuer.token(aud="kms"))
    assert answer.status == 404
    check_answer(document, document["paths"]["/access/list/{uid}"]["get"], answer)


def refusing(issuer: Issuer, directory: Path, **changes: Any) -> AbstractContextManager[Client]:
    """A KMS that refuses the issuer's good tokens. changes: what its `BearerAuth` is made with."""
    auth = BearerAuth.from_issuer(issuer.uri, audience="kms", **changes)
    kms = handlers(auth=auth, data_dir=directory / "data")
    return running(lambda: Application(kms), auth, kms)


def check_refusals(client: Client, token: str, status: int) -> None:
    document = client.get("/openapi.json").json()
    for method, path, operation in protected(document):
        answer = client.request(method, path, token=token, body=b"{}")
        assert answer.status == status
        check_answer(document, operation, answer)


def test_missing_scope_is_answered_as_documented(issuer: Issuer, tmp_path: Path) -> None:
    required = (RequiredClaim("scope", "kms:use"),)
    with refusing(issuer, tmp_path, required_claims=required) as client:
        eventually(lambda: client.get("/ready").status == 200)
        check_refusals(client, issuer.token(aud="kms"), 403)


def test_missing_keys_are_answered_as_documented(issuer: Issuer, tmp_path: Path) -> None:
    with refusing(issuer, tmp_path, jwks_uri="http://127.0.0.1:9/") as client:
        check_refusals(client, issuer.token(aud="kms"), 503)
        ready = client.get("/ready")
        assert ready.status == 503
        document = client.get("/openapi.json").json()
        check_answer(document, document["paths"]["/ready"]["get"], ready)
