"""World: the key service of one example, on either database, with everything that it says written down."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kms_tornado.crypto.encryption.key_wrapping import unwrap_gcm, unwrap_kw, unwrap_kwp
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.domain.managed_object import STORED_WRAPPED_TAG, ManagedObject, UniqueIdentifier
from kms_tornado.errors import KMIPError
from kms_tornado.kmip.codecs import json_codec
from kms_tornado.kmip.codecs.long_answers import is_written
from kms_tornado.kmip.enums import BatchErrorContinuationOption, Operation
from kms_tornado.kmip.messages.batch_items import RequestItem
from kms_tornado.kmip.messages.requests import RequestHeader, RequestMessage
from kms_tornado.kmip.objects import EncodedKeyValue, KeyBlock, decode_key_block, decode_key_value
from kms_tornado.kmip.schema import to_node
from kms_tornado.kmip.ttlv import Dialect, Node
from kms_tornado.kmip.versions import DEFAULT_VERSION
from kms_tornado.operations.common.call import Call
from kms_tornado.operations.common.client_profile import BARE_OPERATION
from kms_tornado.service import batch
from kms_tornado.service.item_results import ItemResult
from kms_tornado.service.service import Service
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.store.interface.changes import Conflict
from kms_tornado.store.postgres.backend import PostgresBackend
from kms_tornado.store.sqlite.backend import SQLiteBackend

from ..inside import START, Inside, a_principal, at_once
from .database import DatabaseWriter

#: What a client is told of an object whose row is not as the server wrote it.
UNUSABLE = "the stored object cannot be"

CONTINUE, UNDO = BatchErrorContinuationOption.CONTINUE, BatchErrorContinuationOption.UNDO


@dataclass(frozen=True)
class Outcome:
    """How one operation ended. shown: every octet string and text that its caller got.

    request: with the placeholder filled in. response: None where it failed, and then error says why.
    errors: the ERROR lines of the log meanwhile.
    """

    request: Any
    response: Any = None
    error: KMIPError | None = None
    shown: Sequence[bytes] = ()
    errors: Sequence[str] = ()

    @property
    def is_done(self) -> bool:
        return self.error is None

    @property
    def is_refused_as_edited(self) -> bool:
        return self.error is not None and str(self.error).startswith(UNUSABLE)


class Lines(logging.Handler):
    """Keeps the ERROR lines of the package, and keeps them away from the other tests."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class RecordingService(Service):
    """Keeps request and response of each operation: a batch gives out rendered items alone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.attempts: list[tuple[Any, Any]] = []

    async def attempt(self, principal: Any, operation: Any, request: Any, *args: Any, **options: Any) -> Any:  # fmt: skip
        try:
            response = await super().attempt(principal, operation, request, *args, **options)
        except (KMIPError, Conflict) as exc:
            self.attempts.append((request, exc))
            raise
        self.attempts.append((request, response))
        return response


class World(Inside):
    """One database for many examples: `begin` empties it. place: a directory, or the URL of a PostgreSQL."""

    service: RecordingService

    def __init__(self, place: Path | str, crypto_policy: str = "permissive") -> None:
        if isinstance(place, Path):
            backend: Any = SQLiteBackend(place / "kms.db")
            url = f"sqlite:///{place / 'kms.db'}"
        else:
            backend = PostgresBackend(place)
            url = place.replace("postgresql:", "postgresql+psycopg:", 1)
        super().__init__(Path(), backend=backend, crypto_policy=crypto_policy)
        self.crypto_policy = crypto_policy
        self.log = Lines()
        self.database = DatabaseWriter(url)
        self._begin_service()

    def __enter__(self) -> World:
        super().__enter__()
        self.database.remember()
        logger = logging.getLogger("kms_tornado")
        logger.addHandler(self.log)
        logger.propagate = False
        return self

    def __exit__(self, *exc: object) -> None:
        logger = logging.getLogger("kms_tornado")
        logger.removeHandler(self.log)
        logger.propagate = True
        self.database.close()
        super().__exit__(*exc)

    def _begin_service(self) -> None:
        settings = ServiceSettings(crypto_policy=self.crypto_policy)
        self.service = RecordingService(
            self.store, self.ring, at_once, settings, now=lambda: self.clock
        )

    def restart(self) -> None:
        """Another process on the same database: what was in memory is gone."""
        self.run(self.store.stop())
        super().__enter__()
        self._begin_service()

    def begin(self) -> None:
        """A database without an object, a server that remembers none, and the first second again."""
        self.database.empty()
        self._begin_service()
        self.clock = START

    # --- operations -----------------------------------------------------------------------------

    def act(self, user: str, operation: Operation, request: Any) -> Outcome:
        """One bare operation."""
        self.log.lines.clear()
        try:
            response = self.do(user, operation, request)
        except KMIPError as exc:
            return Outcome(request, None, exc, [str(exc).encode()], [*self.log.lines])
        shown = [*strings_in(to_node(response, "ResponsePayload"))]
        return Outcome(request, response, None, shown, [*self.log.lines])

    def act_in_batch(
        self,
        user: str,
        *steps: tuple[Operation, Any],
        option: BatchErrorContinuationOption = CONTINUE,
    ) -> list[Outcome]:
        """The steps as the items of one message, as far as they were reached.

        With Undo and a failure, all of them failed.
        """
        self.log.lines.clear()
        attempts = self.service.attempts
        attempts.clear()
        header = RequestHeader(DEFAULT_VERSION, len(steps), batch_error_continuation_option=option)
        items = tuple(RequestItem(operation, request) for operation, request in steps)
        message = RequestMessage(Dialect.OASIS, DEFAULT_VERSION, header, items)
        results = self.run(batch.run(self.service, a_principal(user), message, overhead=0))
        return [self._outcome_of(result, attempts) for result in results]

    def _outcome_of(self, result: ItemResult, attempts: list[tuple[Any, Any]]) -> Outcome:
        shown, lines = [*strings_in(result.node)], [*self.log.lines]
        made = [
            (request, response)
            for request, response in attempts
            if _is_same(request, result.item.request)
        ]
        request, response = made[-1] if made else (result.item.request, None)
        if result.result == "Success":
            return Outcome(request, response, None, shown, lines)
        error = response if isinstance(response, KMIPError) else KMIPError(result.result)
        return Outcome(request, None, error, shown, lines)

    def is_done(self, coroutine: Any) -> bool:
        """Whether it raised no KMIPError."""
        try:
            self.run(coroutine)
        except KMIPError:
            return False
        return True

    # --- what only the test may know ------------------------------------------------------------

    def look_up(self, uid: str) -> ManagedObject | None:
        found: ManagedObject | None = self.run(self.store.get(UniqueIdentifier(uid)))
        return found

    def material_of(self, target: ManagedObject, *, wrapped_by: bytes | None = None) -> bytes:
        """The octets in the object's envelope; of one that is stored wrapped, what its key unwraps.

        b"" where it is wrapped by a key that the test does not have.
        """
        octets = Call(
            target.owner, Operation.GET, self.store, self.clock, BARE_OPERATION, self.service._context
        ).open_envelope(target).reveal()  # fmt: skip
        if STORED_WRAPPED_TAG not in target.tags:
            return octets
        return b"" if wrapped_by is None else unwrap_block(decode_key_block(octets), wrapped_by)


def _is_same(attempted: Any, sent: Any) -> bool:
    """Whether the attempt was of the item, whose placeholder may have been filled in since."""
    if type(attempted) is not type(sent):
        return False
    names = ("unique_identifier", "private_key_unique_identifier", "unique_identifiers")
    omitted = {
        name: getattr(attempted, name) for name in names if getattr(sent, name, 0) in (None, ())
    }
    return bool(attempted == (dataclasses.replace(sent, **omitted) if omitted else sent))


def strings_in(node: Node) -> Iterator[bytes]:
    """All octets and texts of an answer, and whole numbers of any length as octets."""
    value = node.value
    if is_written(node):
        yield from strings_in(json_codec.parse(value)[0])
    elif isinstance(value, tuple):
        for child in value:
            yield from strings_in(child)
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")
    elif isinstance(value, int) and abs(value) >= 1 << 64:
        yield abs(value).to_bytes(-(-abs(value).bit_length() // 8), "big")


def unwrap_block(block: KeyBlock, wrapping_key: bytes) -> bytes:
    """The material, by whichever AES wrapping it was wrapped; b"" where the key is another one."""
    value = block.key_value
    if value is None:
        return b""
    octets = value.octets if isinstance(value, EncodedKeyValue) else value.key_material.octets
    plain = unwrap(octets, wrapping_key)
    if not plain:
        return b""
    try:
        return decode_key_value(plain, block.key_format_type).key_material.octets
    except (KMIPError, AttributeError):
        return plain


def unwrap(octets: bytes, wrapping_key: bytes) -> bytes:
    for function in (unwrap_kw, unwrap_kwp, unwrap_gcm):
        try:
            return function(KeyMaterial(wrapping_key), octets)
        except (KMIPError, ValueError):
            continue
    return b""
