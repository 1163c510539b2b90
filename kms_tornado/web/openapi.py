"""The OpenAPI 3.1 document of what a server serves.

What never changes stands in ``openapi_template.json``, which has an entry for each route. `describe_api`
adds what depends on the server: which routes there are and below which prefix, the operations with their
fields, and where tokens come from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from .. import __version__
from ..kmip.enums import Operation
from ..kmip.schema import Declared, list_tags
from ..kmip.tables import ENUMERATIONS, OPERATION_TAGS, TAG_ALIASES
from ..service.catalogue import CATALOGUE

JSON = dict[str, Any]

#: Route → the one that is answered exactly alike and has the entry in the template.
_SAME_AS: Mapping[str, str] = {"/kmip/2_1": "/kmip_2_1"}

#: Routes that stand at the root of the host, where the KMS is mounted, too: RFC 9728 §3.1.
_WELL_KNOWN = "/.well-known/"

_OBJECT_TAGS = frozenset(ENUMERATIONS["ObjectType"].oasis.values())
_SCHEMAS = "#/components/schemas/"


class APIDocument(NamedTuple):
    """A document in JSON. etag: as the header has it."""

    body: bytes
    etag: str


# A process has one application or a few, and none of this changes while it runs.
@lru_cache(maxsize=8)
def render_document(
    routes: tuple[str, ...],
    prefix: str,
    issuers: tuple[str, ...],
    operations: tuple[Operation, ...],
    needs_token: bool,
) -> APIDocument:
    """`describe_api` as it is sent."""
    document = describe_api(
        routes, prefix=prefix, issuers=issuers, operations=operations, needs_token=needs_token
    )
    body = json.dumps(document, ensure_ascii=False).encode()
    return APIDocument(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def describe_api(
    routes: Iterable[str],
    *,
    prefix: str,
    issuers: Iterable[str],
    operations: Iterable[Operation],
    needs_token: bool = True,
) -> JSON:
    """The OpenAPI document.

    routes: the patterns in the application's table.
    prefix: the path below which they are mounted.
    issuers: the URIs of the issuers whose tokens are accepted.
    operations: the ones that the server offers.
    needs_token: False with --insecure-no-auth.
    Raises KeyError for a route that the template lacks.
    """
    document: JSON = json.loads(
        resources.files(__package__).joinpath("openapi_template.json").read_text("utf-8")
    )
    document["info"]["version"] = __version__
    document["servers"] = [{"url": prefix or "/"}]
    entries = document["paths"]
    document["paths"] = dict(_place_entry(entries, route, prefix) for route in routes)
    schemes = _describe_issuers(issuers)
    document["components"]["securitySchemes"] |= schemes
    for operation in _iterate_operations(document):
        if not needs_token:
            operation["security"] = []
        elif operation["security"]:
            operation["security"] += [{name: []} for name in schemes]
    document["components"]["schemas"] |= _describe_operations(
        document["components"]["schemas"], tuple(operations)
    )
    return document


def _iterate_operations(document: JSON) -> Iterator[JSON]:
    """The HTTP operations of a document."""
    for entry in document["paths"].values():
        yield from (entry[name] for name in ("get", "post") if name in entry)


def document_path(route: str) -> str:
    """A route as OpenAPI writes it: its one parameter is the identifier of an object."""
    return re.sub(r"\([^)]*\)", "{uid}", route)


def _place_entry(entries: JSON, route: str, prefix: str) -> tuple[str, JSON]:
    """(path, entry) of a route."""
    path = document_path(route)
    if path in _SAME_AS:
        return path, _copy_for_alias(entries[_SAME_AS[path]])
    entry = entries[path]
    if path.startswith(_WELL_KNOWN) and prefix:
        return path + prefix, {"servers": [{"url": "/"}], **entry}
    return path, entry


def _copy_for_alias(entry: JSON) -> JSON:
    """The entry with an operationId of its own, because no two entries may share one."""
    copied: JSON = json.loads(json.dumps(entry))
    for operation in copied.values():
        operation["operationId"] += "Alias"
    return copied


def _describe_issuers(issuers: Iterable[str]) -> JSON:
    """A security scheme for each issuer that is a URL.

    For the others, only their operator knows where their keys are.
    """
    urls = [issuer for issuer in issuers if issuer.startswith(("https://", "http://"))]
    return {
        f"issuer{number}": {
            "type": "openIdConnect",
            "openIdConnectUrl": f"{url.rstrip('/')}/.well-known/openid-configuration",
        }
        for number, url in enumerate(urls, 1)
    }


# --- operations of KMIP -------------------------------------------------------------------------


def _describe_operations(schemas: JSON, operations: Sequence[Operation]) -> JSON:
    """The schemas that depend on which operations are offered. schemas: of the template."""
    tags = {OPERATION_TAGS[operation]: CATALOGUE[operation].request for operation in operations}
    requests = {f"{tag}Request": _describe_request(tag, cls) for tag, cls in tags.items()}
    choice = {
        "oneOf": [{"$ref": _SCHEMAS + name} for name in requests],
        "discriminator": {
            "propertyName": "tag",
            "mapping": {tag: f"{_SCHEMAS}{tag}Request" for tag in tags},
        },
    }
    answers = {"properties": {"tag": {"enum": [f"{tag}Response" for tag in tags]}}}
    return {
        "Operation": schemas["Operation"] | choice,
        "OperationResponse": schemas["OperationResponse"] | answers,
        **requests,
    }


def _describe_request(tag: str, cls: type[Declared]) -> JSON:
    """A structure with the fields that the class declares. The contents of the fields are not described."""
    required, others = list_tags(cls)
    names = [name for field in (*required, *others) for name in _spell(field)]
    value: JSON = {"items": {"properties": {"tag": {"enum": sorted(set(names))}}}}
    if required:
        value["allOf"] = [
            {"contains": {"properties": {"tag": {"enum": _spell(field)}}}} for field in required
        ]
    return {"$ref": f"{_SCHEMAS}Structure", "properties": {"tag": {"const": tag}, "value": value}}


def _spell(tag: str) -> list[str]:
    """All spellings of the tag that are accepted."""
    spellings = [tag, *(alias for alias, name in TAG_ALIASES.items() if name == tag)]
    return [*spellings, "Object"] if tag in _OBJECT_TAGS else spellings
