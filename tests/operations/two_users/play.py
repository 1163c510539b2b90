"""Play: two users at one server, each of their operations held against the model and the watches.

The methods are moves; `machine` draws them, and an example test makes them by hand. A refusal is always
right. A success must be one that the model allows, and must show nothing that the watches forbid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, Operation, State
from kms_tornado.kmip.payloads import (
    CreateRequest,
)
from kms_tornado.kmip.schema import to_node
from kms_tornado.kmip.structures import CryptographicParameters
from kms_tornado.service.objects.access_rights import AccessRequest

from ..inside import ALICE, BOB
from . import requests
from .model import (
    ALIVE,
    Key,
    Overreach,
    visible_attributes,
)
from .secrets import Block, Watch, digests_of, hash_key_of, secret_part
from .world import Outcome, World, strings_in

Op, S = Operation, State

USERS = (ALICE, BOB)


class Play:
    """done: how often each user succeeded with each operation, which shows that something was tried."""

    def __init__(self, world: World) -> None:
        world.begin()
        self.world = world
        self.keys: dict[str, Key] = {}
        self.removed: dict[str, str] = {}
        self.watches = {user: Watch(user) for user in USERS}
        #: (material, block) → who took it.
        self.blocks: dict[tuple[bytes, Block], str] = {}
        #: Material → "server" or "caller".
        self.sources: dict[bytes, str] = {}
        self.nonces: list[bytes] = []
        self.done: Counter[tuple[str, str]] = Counter()
        #: Whether the database writer has taken rows away from what a search looks through.
        self.is_hidden_from_searches = False

    @property
    def now(self) -> int:
        return self.world.clock

    # --- every operation ------------------------------------------------------------------------

    def act(self, user: str, operation: Operation, request: Any) -> Outcome:
        """What the user sends is known to them; what they get back is for `see`."""
        self.bring_along(user, request)
        outcome = self.world.act(user, operation, request)
        self.note(user, operation, outcome)
        return outcome

    def bring_along(self, user: str, request: Any) -> None:
        for octets in strings_in(to_node(request, "RequestPayload")):
            self.watches[user].learn(octets)

    def note(self, user: str, operation: Operation, outcome: Outcome) -> None:
        if outcome.is_done:
            self.done[user, operation.name] += 1
        else:
            self.see(user, outcome, f"the refusal of {operation.name}")
        if outcome.is_refused_as_edited:
            assert outcome.errors, f"{operation.name} was refused, and no line says why"

    def see(self, user: str, outcome: Outcome, what: str) -> None:
        self.watches[user].check(outcome.shown, what)

    def tick(self, seconds: int) -> None:
        self.world.clock += seconds
        for key in self.keys.values():
            key.settle(self.now)

    # --- keys come ------------------------------------------------------------------------------

    def create(self, user: str, attributes: Attributes) -> str | None:
        request = CreateRequest(ObjectType.SYMMETRIC_KEY, attributes)
        outcome = self.act(user, Op.CREATE, request)
        return self._made(user, outcome, "Create", attributes)

    def import_(
        self, user: str, uid: str, material: bytes, attributes: Attributes, **more: Any
    ) -> str | None:
        request = requests.importing(uid, material, attributes, **more)
        outcome = self.act(user, Op.IMPORT, request)
        return self._made(user, outcome, "Import", attributes)

    def _made(
        self, user: str, outcome: Outcome, what: str, wanted: Attributes | None = None
    ) -> str | None:
        if not outcome.is_done:
            return None
        self.see(user, outcome, what)
        new = self.adopt(user, outcome.response.unique_identifier)
        if wanted is not None:
            told, asked = visible_attributes(new.attributes), visible_attributes(wanted)
            wrong = [name for name, value in asked.items() if value not in (None, told[name])]
            assert not wrong, f"{what} left {wrong} aside"
        return new.uid

    def adopt(
        self, user: str, uid: str, *, wrapped_by: str | None = None, may_share: bool = False
    ) -> Key:
        """The new object in the model, as the server stored it. may_share: with a hidden key of another."""
        target = self.world.look_up(uid)
        assert target is not None, f"{uid} was answered, and is not there"
        by = None if wrapped_by is None else self.keys[wrapped_by].material
        new = Key.of(target, self.world.material_of(target, wrapped_by=by))
        new.wrapped_by = wrapped_by
        old = self.keys.get(uid)
        if old is not None:
            if old.owner != user:
                raise Overreach(f"{user} put an object in the place of {old.owner}'s {uid}")
            new.grants = old.grants
        if self.removed.get(uid, user) != user:
            raise Overreach(f"{user} took the identifier {uid}, which was {self.removed[uid]}'s")
        self.keys[uid] = new
        if not may_share and self.is_foreign(new):
            raise Overreach(f"{new.owner} has {uid}, with another's hidden key in it")
        self.hide(new)
        return new

    def is_foreign(self, key: Key) -> bool:
        """Whether its material is a hidden key of another user, which the owner of this one does not know."""
        return not self.watches[key.owner].knows(key.material) and any(
            other.owner != key.owner and other.is_hidden and other.material == key.material
            for other in self.keys.values()
        )

    def hide(self, key: Key) -> None:
        """A hidden key is nobody's to see; what is done with it in secret is not the others'."""
        if not key.is_hidden or not key.material:
            return
        for user, watch in self.watches.items():
            if watch.knows(key.material):
                continue
            watch.forbid(secret_part(key.kind, key.material), f"the key {key.uid}")
            for name, digest in digests_of(key.material):
                watch.forbid(digest, f"the {name} of the key {key.uid}")
            if user != key.owner:
                watch.forbid(hash_key_of(key.material), f"the hash key of {key.uid}")

    # --- rights ---------------------------------------------------------------------------------

    def grant(self, user: str, uid: str, grantee: str, rights: Iterable[Operation]) -> bool:
        return self._change_rights(user, uid, grantee, frozenset(rights), gives=True)

    def withdraw(self, user: str, uid: str, grantee: str, rights: Iterable[Operation]) -> bool:
        return self._change_rights(user, uid, grantee, frozenset(rights), gives=False)

    def _change_rights(
        self, user: str, uid: str, grantee: str, rights: frozenset[Operation], *, gives: bool
    ) -> bool:
        access = self.world.rights
        request = AccessRequest(uid, grantee, rights)  # type: ignore[arg-type]
        change = access.grant if gives else access.withdraw
        if not self.world.is_done(change(user, request)):
            return False
        key = self.keys[uid]
        if key.owner != user:
            raise Overreach(f"{user} changed the rights on {key.owner}'s {uid}")
        held = key.grants.setdefault(grantee, set())
        held |= rights
        if not gives:
            held -= rights
        self.done[user, "GRANT" if gives else "WITHDRAW"] += 1
        return True

    # --- what an identifier means ---------------------------------------------------------------

    def mean(self, user: str, what: str, uid: str, operation: Operation) -> Key:
        """The object that answered, if it is the one that `what` means to this user.

        A tag list means the user's own; where there are none, what was granted to them by name.
        """
        key = self.keys.get(uid)
        if key is None:
            raise Overreach(f"{user} used {uid}, which nobody has")
        if not what.startswith("["):
            assert what == uid
            return key
        tags = frozenset(tag for tag in ("a", "b") if f'"{tag}"' in what)
        if key.owner == user:
            return key
        own = [
            each.uid
            for each in self.keys.values()
            if each.owner == user and tags <= each.tags and each.state in ALIVE and not each.is_lost
        ]
        if own and not self.is_hidden_from_searches:
            raise Overreach(f"{what} meant {key.owner}'s {uid} to {user}, who has {own}")
        if not key.has_right(user, operation, Op.GET, by_name=True):
            raise Overreach(f"{what} meant {key.owner}'s {uid} to {user}, as it is granted to *")
        return key

    def parameters_for(
        self, key: Key, requested: CryptographicParameters | None
    ) -> CryptographicParameters | None:
        """Those of the request, with what the key says in its gaps."""
        own = key.parameters
        if own is None or requested is None:
            return requested or own
        fields = {**{n: v for n, v in vars(own).items() if v is not None}}
        fields |= {name: value for name, value in vars(requested).items() if value is not None}
        return CryptographicParameters(**fields)

    def owned_by(self, user: str) -> Sequence[Key]:
        return [key for key in self.keys.values() if key.owner == user and not key.is_lost]
