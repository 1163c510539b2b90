"""A record of the audit: one line of canonical JSON, which is stored, hashed and exported as the same bytes.

How the audit works
===================

Every operation and every refusal is a *record*. A change's record is written in the change's own transaction;
all others are collected in memory and written in a transaction of their own, within a second
(`service.auditing.trail`).

    draft       what a record says, rendered but for its place in a chain; made on the event loop
    note        a job of the store says in its transaction which drafts are to be recorded if it is committed
    chain       the writer gives them numbers, and each the hash of the line before it (`chain`); the last act of
                a transaction moves the chain's head from where this process left it, and fails where it is not
    segment     the lines of one transaction, one row of the database, under a row MAC
    checkpoint  the heads of all chains under the server's signature, every few seconds (`checkpoint`)
    anchor      the newest checkpoint in a file apart from the database: an older database is noticed (`rollback`)

A process has a chain for each transaction that it has under way at once, so that nobody waits for a chain of
another's. As only a commit moves a head, a chain has no holes: a transaction that is rolled back leaves its
numbers to the next one.

A change's record also tells the codes of the objects' rows before and after it. So each object has a path
through the records, at whose end the row must be that is stored: a row of long ago is not.

The line is RFC 8785 with objects, arrays, strings, integers and null alone, whose members' names are ASCII: so
`canonical` is all there is to it. `render` writes the same text faster, which a test compares.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

#: The results of operations. Refused: before an operation was begun. Undone: by a batch that failed.
SUCCESS, FAILED, REFUSED, UNDONE = "Success", "Failed", "Refused", "Undone"

#: The most characters of a text from a client, and the most identifiers in a record besides its own.
MOST_CHARACTERS = 255
_MOST_ALSO = 32

#: (identifier, code before, code after), in hexadecimal; None: there was or is no row.
State = tuple[str, str | None, str | None]


class Origin:
    """Where a request comes from. One is made for each request, so it is a plain class.

    principal: None before a token was found to be good.
    issuer: of the principal.
    protocol: http, kmip, command or server.
    is_noted: whether there is any record of this request.
    """

    __slots__ = ("is_noted", "issuer", "principal", "protocol", "remote_ip", "request_id")

    def __init__(
        self,
        principal: str | None,
        issuer: str | None,
        remote_ip: str | None,
        request_id: str | None,
        protocol: str = "http",
    ) -> None:
        self.principal = principal
        self.issuer = issuer
        self.remote_ip = remote_ip
        self.request_id = request_id
        self.protocol = protocol
        self.is_noted = False


#: The origins of records about the server itself, and about a command of its operator.
SERVER, COMMAND = (Origin(None, None, None, None, name) for name in ("server", "command"))


class RenderedDraft(NamedTuple):
    """A record in pieces, without its place in a chain.

    uids: for the record of a change, the objects whose codes the record is to contain.
    is_read: whether it is not the record of a change.
    """

    before_chain: str
    before_objects: str
    before_prev: str
    before_seq: str
    end: str
    time_ms: int
    uids: Sequence[str] = ()
    is_read: bool = True


class UseDraft(NamedTuple):
    """The draft for a use of one object, the most frequent kind.

    It is rendered only when its place in a chain is known.
    The uses of half a second are then rendered one after the other, which takes half as long as within each request.
    """

    origin: Origin
    operation: str
    item: str | None
    uid: str
    time_ms: int
    uids: Sequence[str] = ()
    is_read: bool = True


#: What a record will say, before it has its place in a chain.
Draft = RenderedDraft | UseDraft


def make_draft(
    origin: Origin,
    operation: str,
    *,
    result: str = SUCCESS,
    reason: str | None = None,
    uid: str | None = None,
    time_ms: int | None = None,
    item: str | None = None,
    also: Sequence[str] = (),
    count: int = 1,
    detail: Mapping[str, Any] | None = None,
    changes: Sequence[str] | None = None,
) -> Draft:
    """Render everything that does not depend on the record's place.

    changes: for a change, the objects that the record is about.
    detail: texts, numbers and lists of them, none of which comes from a key, a token or a plaintext.
    """
    if time_ms is None:
        time_ms = time.time_ns() // 1_000_000
    before_objects, before_prev, before_request = _render_origin(
        origin.principal, origin.issuer, origin.remote_ip, origin.protocol, operation, reason
    )
    before_chain = "{"
    if also:
        before_chain = f'{{"also":[{",".join(map(_quote_uid, also[:_MOST_ALSO]))}],'
    if count > 1 or detail or item:
        before_objects = _add_rare_members(before_objects, count, detail, item)
    request_id = origin.request_id
    seconds, milliseconds = divmod(time_ms, 1000)
    return RenderedDraft(
        before_chain,
        before_objects,
        before_prev,
        f"{before_request}{'null' if request_id is None else encode_basestring(request_id)}"
        f',"result":"{result}","seq":',
        f',"time":"{_format_second(seconds)}.{milliseconds:03d}Z"'
        f',"uid":{"null" if uid is None else _quote_uid(uid)},"v":1}}',
        time_ms,
        () if changes is None else changes,
        changes is None,
    )


def _add_rare_members(
    issuer: str, count: int, detail: Mapping[str, Any] | None, item: str | None
) -> str:
    """The pieces before `objects`: count and detail stand before the issuer, item behind it."""
    return "".join(
        (
            f',"count":{count}' if count > 1 else "",
            f',"detail":{canonical(clean(detail)).decode()}' if detail else "",
            issuer,
            f',"item":"{item}"' if item else "",
        )
    )


# Most requests are of few principals, and most of their records say the same of them.
@lru_cache(maxsize=2048)
def _render_origin(
    principal: str | None,
    issuer: str | None,
    remote_ip: str | None,
    protocol: str,
    operation: str,
    reason: str | None,
) -> tuple[str, str, str]:
    """The pieces before `objects`, before the value of `prev`, and from there up to `request_id`."""
    return (
        f',"issuer":{_quote(issuer)}',
        f',"operation":{_quote(operation)},"prev":"',
        f'","principal":{_quote(principal)},"protocol":"{protocol}","reason":{_quote(reason)}'
        f',"remote_ip":{_quote(remote_ip)},"request_id":',
    )


def render(draft: Draft, chain: int, seq: int, prev: str, objects: Sequence[State] = ()) -> str:
    """The line for the draft in this place of a chain, without its line end.

    objects: sorted by `State`'s identifier.
    """
    told = f',"objects":{canonical(list(map(list, objects))).decode()}' if objects else ""
    if isinstance(draft, UseDraft):
        return _render_use(draft, chain, seq, prev, told)
    return (
        f'{draft.before_chain}"chain":{chain}{draft.before_objects}{told}{draft.before_prev}{prev}'
        f"{draft.before_seq}{seq}{draft.end}"
    )


def _render_use(use: UseDraft, chain: int, seq: int, prev: str, told: str) -> str:
    """The line for a use, the same as `make_draft` and `render` would make. told: the member `objects`."""
    origin = use.origin
    before_objects, before_prev, before_request = _render_origin(
        origin.principal, origin.issuer, origin.remote_ip, origin.protocol, use.operation, None
    )
    item = f',"item":"{use.item}"' if use.item else ""
    request_id = "null" if origin.request_id is None else encode_basestring(origin.request_id)
    seconds, milliseconds = divmod(use.time_ms, 1000)
    return (
        f'{{"chain":{chain}{before_objects}{item}{told}{before_prev}{prev}{before_request}{request_id}'
        f',"result":"Success","seq":{seq},"time":"{_format_second(seconds)}.{milliseconds:03d}Z"'
        f',"uid":{_quote_uid(use.uid)},"v":1}}'
    )


def canonical(value: Any) -> bytes:
    """The form of RFC 8785, for a value without fractions, whose members' names are ASCII and texts whole characters."""
    return _encode(value).encode()


# `json.dumps` would make an encoder for each value.
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def clean(value: Any) -> Any:
    """The value with texts that can be written: half a character becomes U+FFFD, and long texts are shortened."""
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, Mapping):
        return {name: clean(member) for name, member in value.items()}
    if isinstance(value, Iterable):
        return [clean(member) for member in value]
    return value


def _clean_text(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS]
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _quote_uid(uid: str) -> str:
    if len(uid) <= MOST_CHARACTERS and uid.isascii():
        return encode_basestring(uid)
    return encode_basestring(_clean_text(uid))


def _quote(text: str | None) -> str:
    return "null" if text is None else encode_basestring(_clean_text(text))


@lru_cache(maxsize=4)  # most records are of this second or the one before
def _format_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
