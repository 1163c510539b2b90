"""FastRequest and FastAnswer: what the function of a fast route receives, and what it returns."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tornado.httputil import HTTPHeaders

from ...argument_types import check_type
from ...auth.principal import Principal
from ...errors import WrongArgumentType

_TYPES: dict[type, str] = {
    dict: "application/json; charset=UTF-8",
    str: "text/plain; charset=UTF-8",
    bytes: "application/octet-stream",
}
_WITHOUT_BODY = (204, 304)  # RFC 9110 §15.3.5, §15.4.5
#: They are not the function's to set.
OWN_HEADERS = ("Server", "Date", "Content-Length", "Transfer-Encoding", "Connection")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.1
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5


@dataclass(slots=True)
class FastRequest:
    """A request whose token is good.

    principal: the user who sends it.
    path_args: the groups of the route's pattern, decoded.
    query: the part of the URL after the ``?``, as it was sent.
    headers: found by name in any case.
    body: as it was sent.
    remote_ip: as in Tornado's request.
    """

    principal: Principal
    method: str
    path: str
    path_args: tuple[str, ...]
    query: str
    headers: HTTPHeaders
    body: bytes
    remote_ip: str

    @property
    def query_arguments(self) -> dict[str, list[str]]:
        """{name: its values}, decoded; a value may be empty."""
        return parse_qs(self.query, keep_blank_values=True)


@dataclass(slots=True)
class FastAnswer:
    """The answer to a FastRequest.

    body: a dict is sent as JSON, a str as ``text/plain`` in UTF-8, bytes as ``application/octet-stream``, unless a
    header ``Content-Type`` says otherwise.
    headers: the headers beside those that every answer has (`OWN_HEADERS`), each name once.
    Raises ValueError for a status or a header that cannot be sent, and for a body with a status that has none;
    TypeError for a body, a status or headers of another type.
    """

    body: bytes | str | dict[str, Any] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.body) not in _TYPES:
            raise WrongArgumentType(
                f"dict, str or bytes are needed, not {type(self.body).__name__}", "body"
            )
        if type(self.status) is not int:
            check_type(self.status, int, "status")
        if type(self.headers) is not dict:
            check_type(self.headers, Mapping, "headers")
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is no status of an answer")
        if self.body and self.status in _WITHOUT_BODY:
            raise ValueError(f"an answer with the status {self.status} has no body")
        try:
            for name, value in self.headers.items():
                if not _NAME.fullmatch(name) or name.title() in OWN_HEADERS:
                    raise ValueError(f"{name} is no header that an answer may have")
                if not _VALUE.fullmatch(value):
                    raise ValueError(f"the value of the header {name} cannot be sent")
        except TypeError:
            raise WrongArgumentType("names and values are texts", "headers") from None

    def encode(self) -> tuple[dict[str, str], bytes]:
        """The headers, except `Server` and `Date`, and the body."""
        body = self.body
        headers = {"Content-Type": _TYPES[type(body)]}
        if self.headers:
            headers.update({name.title(): value for name, value in self.headers.items()})
        if isinstance(body, dict):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        if self.status in _WITHOUT_BODY:
            del headers["Content-Type"]
        else:
            headers["Content-Length"] = str(len(data))
        return headers, data


FastResult = FastAnswer | dict[str, Any] | str | bytes
#: A plain function is faster than a coroutine, and holds up all other requests while it runs.
FastFunction = Callable[[FastRequest], FastResult | Awaitable[FastResult]]


def make_answer(result: FastResult) -> FastAnswer:
    """The return value of a function as an answer. Raises TypeError for a value of another type."""
    if isinstance(result, FastAnswer):
        return result
    if type(result) not in _TYPES:
        raise TypeError(
            f"the function of a fast route returned a {type(result).__name__}, "
            "instead of a FastAnswer, a dict, a text or bytes"
        )
    return FastAnswer(result)
