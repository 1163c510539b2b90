"""MessagePlay: what several requests do together: searches, batches with a placeholder, data in parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kms_tornado.kmip.attributes import Attributes, with_user_tags
from kms_tornado.kmip.enums import BatchErrorContinuationOption, CryptographicUsageMask, Operation
from kms_tornado.kmip.payloads import (
    DecryptRequest,
    EncryptRequest,
    GetAttributesRequest,
    LocateRequest,
    MACRequest,
)
from kms_tornado.kmip.payloads.discovery import LocateCriteria
from kms_tornado.kmip.schema import to_node
from kms_tornado.kmip.structures import Name
from kms_tornado.kmip.ttlv import children_of

from .model import Key, Overreach
from .pair_play import PairPlay
from .secrets import mode_of
from .world import CONTINUE, Outcome

M, Op = CryptographicUsageMask, Operation

STREAMS: dict[Operation, tuple[Any, M]] = {
    Op.ENCRYPT: (EncryptRequest, M.ENCRYPT),
    Op.DECRYPT: (DecryptRequest, M.DECRYPT),
    Op.MAC: (MACRequest, M.MAC_GENERATE),
}


@dataclass
class Stream:
    """Data in parts that has begun. plaintext: of all parts so far."""

    user: str
    operation: Operation
    uid: str
    correlation_value: bytes
    plaintext: bytes
    iv: bytes | None = None
    is_callers: bool = False


def criteria_of(attributes: Attributes) -> LocateCriteria:
    return LocateCriteria(children_of(to_node(attributes, "Attributes")))


class MessagePlay(PairPlay):
    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.streams: list[Stream] = []

    # --- Locate ---------------------------------------------------------------------------------

    def locate(
        self, user: str, wanted: Attributes, tags: frozenset[str] = frozenset()
    ) -> list[str]:
        """Only what the user may find; by attributes, only what the user may read."""
        outcome = self.act(user, Op.LOCATE, locating(wanted, tags))
        return self.located(user, outcome, wanted) if outcome.is_done else []

    def located(self, user: str, outcome: Outcome, wanted: Attributes) -> list[str]:
        self.see(user, outcome, "Locate")
        found = list(outcome.response.unique_identifiers)
        compared = sorted(wanted.set_fields())
        ranks = []
        for uid in found:
            key = self.keys.get(uid)
            if key is None or not key.is_found_by(user):
                raise Overreach(f"{user} found {uid}")
            if compared and not key.may_read_attributes(user):
                raise Overreach(f"{user} learned {compared} of {key.owner}'s {uid} by a search")
            ranks.append(rank_of(user, key))
        if ranks != sorted(ranks):
            raise Overreach(f"{user} found strangers' objects before nearer ones: {ranks}")
        return found

    def locate_and_encrypt(
        self,
        user: str,
        wanted: Attributes,
        tags: frozenset[str],
        data: bytes,
        option: BatchErrorContinuationOption = CONTINUE,
    ) -> Any:
        """One message: what is found is the placeholder of what follows."""
        steps = [(Op.LOCATE, locating(wanted, tags)), (Op.ENCRYPT, EncryptRequest(data=data))]
        for _, request in steps:
            self.bring_along(user, request)
        outcomes = self.world.act_in_batch(user, *steps, option=option)
        for (operation, _), outcome in zip(steps, outcomes, strict=False):
            self.note(user, operation, outcome)
        if len(outcomes) < 2 or not outcomes[1].is_done:
            return None
        found = self.located(user, outcomes[0], wanted)
        uid = outcomes[1].response.unique_identifier
        key = self.keys[uid]
        if uid != found[0] or rank_of(user, key) == 2:
            raise Overreach(f"the placeholder was {key.owner}'s {uid} to {user}, of {found}")
        return self.encrypted(user, uid, outcomes[1])

    def in_batch(
        self,
        user: str,
        uid: str,
        data: bytes,
        iv: bytes | None,
        option: BatchErrorContinuationOption,
    ) -> int:
        """Two encryptions and a read in one message; what is undone is not answered. How many were done."""
        steps = [
            (Op.ENCRYPT, EncryptRequest(unique_identifier=uid, data=data, iv_counter_nonce=iv)),
            (Op.ENCRYPT, EncryptRequest(unique_identifier=uid, data=data + b"2", iv_counter_nonce=iv)),
            (Op.GET_ATTRIBUTES, GetAttributesRequest(uid)),
        ]  # fmt: skip
        for _, request in steps:
            self.bring_along(user, request)
        outcomes = self.world.act_in_batch(user, *steps, option=option)
        for (operation, _), outcome in zip(steps, outcomes, strict=False):
            self.note(user, operation, outcome)
            if outcome.is_done and operation is Op.ENCRYPT:
                self.encrypted(user, uid, outcome)
        return sum(outcome.is_done for outcome in outcomes)

    # --- in parts -------------------------------------------------------------------------------

    def begin_stream(
        self, user: str, operation: Operation, uid: str, data: bytes, iv: bytes | None = None
    ) -> Stream | None:
        request_type, needed = STREAMS[operation]
        given = {} if operation is Op.MAC else {"iv_counter_nonce": iv}
        sent = request_type(unique_identifier=uid, data=data, init_indicator=True, **given)
        outcome = self.act(user, operation, sent)
        if not outcome.is_done:
            return None
        key = self.keys[uid]
        self._count_part(user, operation, key, needed, data)
        response = outcome.response
        stream = Stream(user, operation, uid, response.correlation_value, data)
        stream.iv = iv or getattr(response, "iv_counter_nonce", None)
        stream.is_callers = iv is not None
        self._see_part(stream, key, outcome, b"", is_last=False)
        self.streams.append(stream)
        return stream

    def feed(
        self, stream: Stream, data: bytes, *, user: str | None = None, ends: bool = False
    ) -> bool:
        """A further part; user: who sends it, maybe another one."""
        sender = user or stream.user
        request_type, needed = STREAMS[stream.operation]
        sent = request_type(
            unique_identifier=stream.uid,
            data=data,
            correlation_value=stream.correlation_value,
            final_indicator=ends or None,
        )
        outcome = self.act(sender, stream.operation, sent)
        if not outcome.is_done:
            return False
        if sender != stream.user:
            raise Overreach(f"{sender} went on with data of {stream.user}'s")
        key = self.keys[stream.uid]
        self._count_part(sender, stream.operation, key, needed, data)
        before, stream.plaintext = stream.plaintext, stream.plaintext + data
        self._see_part(stream, key, outcome, before, is_last=ends)
        if ends:
            self.streams.remove(stream)
        return True

    def _count_part(
        self, user: str, operation: Operation, key: Key, needed: M, data: bytes
    ) -> None:
        if operation is Op.DECRYPT:
            self.process(user, key, operation, needed)
        else:
            self.protect(user, key, operation, needed, len(data))

    def _see_part(
        self, stream: Stream, key: Key, outcome: Outcome, before: bytes, *, is_last: bool
    ) -> None:
        if stream.operation is Op.DECRYPT:
            self.watches[stream.user].learn(outcome.response.data)
        self.see(stream.user, outcome, f"{stream.operation.name} in parts")
        if stream.operation is not Op.ENCRYPT or stream.iv is None:
            return
        mode = mode_of(key.attributes.cryptographic_algorithm, key.parameters, stream.iv)
        if mode and not before:  # a stream is one encryption: its later blocks are its own
            size = len(stream.plaintext) + 64
            self.take_blocks(stream.user, key, mode, stream.iv, size, is_callers=stream.is_callers)
        if mode and not before:
            self.keep_secret(stream.user, key, stream.plaintext, outcome.response.data or b"")


def rank_of(user: str, key: Key) -> int:
    """0: the user's own; 1: granted by name; 2: granted to everyone."""
    if key.owner == user:
        return 0
    return 1 if key.has_right(user, *Operation, by_name=True) else 2


def locating(wanted: Attributes, tags: frozenset[str]) -> LocateRequest:
    sought = with_user_tags(wanted, tags) if tags else wanted
    return LocateRequest(criteria=criteria_of(sought))


def by_name(name: str) -> Attributes:
    return Attributes(names=(Name(name),))
