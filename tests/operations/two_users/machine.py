"""The moves of alice, bob and the database writer, drawn by Hypothesis."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, CryptographicUsageMask, Operation, State

from ..inside import ALICE, BOB
from . import requests as r
from .database import Impossible
from .life_play import CHANGES
from .message_play import STREAMS, by_name
from .model import EVERYONE
from .world import CONTINUE, UNDO, World
from .wrapping_play import Blob
from .writer_play import WriterPlay

A, M, Op = CryptographicAlgorithm, CryptographicUsageMask, Operation

USERS = st.sampled_from([ALICE, BOB, BOB])
NUMBERS = st.integers(0, 1 << 16)
MOVES = st.sampled_from(["edit", "edit", "edit", "copy", "swap", "remove", "add", "grant"])
FIELDS = {
    "Sensitive": "sensitive", "Extractable": "extractable", "UsageLimits": "usage_limits",
    "CryptographicUsageMask": "cryptographic_usage_mask", "State": "state", "Name": "names",
    "DeactivationDate": "deactivation_date", "ProtectStopDate": "protect_stop_date",
    "ProcessStartDate": "process_start_date", "ActivationDate": "activation_date",
    "CryptographicParameters": "cryptographic_parameters", "Digest": "digests",
}  # fmt: skip


def machine(world: World, rights: Any, steps: list[int], done: Any) -> type[RuleBasedStateMachine]:
    """rights: that alice grants. steps, done: count what was tried, and what succeeded, in all examples."""

    class Machine(RuleBasedStateMachine):
        keys = Bundle("keys")
        blobs = Bundle("blobs")
        boxes = Bundle("boxes")
        streams = Bundle("streams")

        @initialize(target=keys, granted=st.lists(rights, min_size=8, max_size=8), limit=r.LIMITS)
        def begin(self, granted, limit):
            """A cast of keys that most attacks need; alice grants bob something on each of hers."""
            self.play = WriterPlay(world)
            self.numbers = itertools.count(1)
            hers = [
                r.wanted(mask=M.ENCRYPT | M.DECRYPT, sensitive=True, tags=("a",), name="payroll"),
                r.wanted(mask=M.ENCRYPT, sensitive=True, limit=limit),
                r.wanted(mask=M.DERIVE_KEY, sensitive=True),
                r.wanted(mask=M.DERIVE_KEY),
                r.wanted(
                    A.HMAC_SHA256, mask=M.MAC_GENERATE | M.MAC_VERIFY, sensitive=True, limit=limit
                ),
                r.wanted(mask=M.WRAP_KEY | M.UNWRAP_KEY, sensitive=True),
            ]
            his = [
                r.wanted(mask=M.WRAP_KEY | M.UNWRAP_KEY, sensitive=each) for each in (True, False)
            ]
            uids = [self.play.create(ALICE, each) for each in hers]
            uids += self.play.create_pair(ALICE, r.signing(limit=limit, tags=("a",)))
            for uid, operations in zip(uids, granted, strict=True):
                self.play.grant(ALICE, uid, BOB, operations)
            known = self.play.import_(BOB, f"known-{next(self.numbers)}", self.material(), his[1])
            return multiple(*uids, *[self.play.create(BOB, each) for each in his], known)

        def teardown(self) -> None:
            done.update(self.play.done if hasattr(self, "play") else {})

        def material(self) -> bytes:
            """Known to whoever brings it along, and to nobody else."""
            return hashlib.sha256(b"material %d" % next(self.numbers)).digest()

        def secret(self) -> bytes:
            return hashlib.sha256(b"plaintext %d" % next(self.numbers)).digest()

        def data(self, drawn: bytes | int) -> bytes:
            """A number: a block of the key stream that hides what alice encrypted."""
            if isinstance(drawn, bytes):
                return drawn
            blocks = self.play.counter_blocks()
            return blocks[drawn % len(blocks)] if blocks else bytes(16)

        def iv(self, drawn: Any) -> bytes | None:
            if drawn is not True:
                return drawn
            return self.play.nonces[-1] if self.play.nonces else None

        @staticmethod
        def latest(made: list[Any]) -> Any:
            """In the place of one that was not made: what is drawn must not depend on what was done."""
            return made[-1] if made else None

        def suited(self, uid: str, needed: M, exactly: bool) -> str:
            """The key or, unless exactly that one is meant, another whose mask has the bit."""
            held = list(self.play.keys.values())
            suited = [key.uid for key in held if key.mask is not None and key.mask & needed]
            if exactly or not suited or uid in suited or uid not in self.play.keys:
                return uid
            return suited[list(self.play.keys).index(uid) % len(suited)]

        # --- keys come and go ---------------------------------------------------------------------

        @rule(
            target=keys, user=USERS, mask=r.MASKS, sensitive=st.booleans(), extractable=st.booleans(),
            dates=r.FEW_DATES, limit=r.LIMITS, tags=r.TAGS, name=r.NAMES, algorithm=r.ALGORITHMS,
            parameters=r.PARAMETERS, is_made=st.booleans(),
        )  # fmt: skip
        def come(self, user, mask, sensitive, extractable, dates, limit, tags, name, algorithm, parameters, is_made):  # fmt: skip
            steps[0] += 1
            uid = f"{user}-{next(self.numbers)}"
            attributes = r.wanted(
                algorithm, mask=mask, sensitive=sensitive, extractable=extractable, dates=dates, limit=limit,
                parameters=parameters, tags=tags, name=name, uid=uid,
            )  # fmt: skip
            if is_made:
                made = self.play.create(user, attributes)
            else:
                made = self.play.import_(user, uid, self.material(), attributes)
            return made or uid

        @rule(user=USERS, uid=keys, replaces=st.booleans(), tags=r.TAGS)
        def take_identifier(self, user, uid, replaces, tags):
            """Of somebody's object, or of one that was removed."""
            steps[0] += 1
            key = self.play.keys.get(uid)
            if key is None or not key.is_lost:
                attributes = r.wanted(tags=tags)
                self.play.import_(user, uid, self.material(), attributes, replace_existing=replaces)

        @rule(target=keys, user=USERS, uid=keys, parameters=r.PARAMETERS, offset=st.none() | st.integers(0, 4))  # fmt: skip
        def replace(self, user, uid, parameters, offset):
            steps[0] += 1
            requested = Attributes(cryptographic_parameters=parameters)
            return self.play.re_key(user, uid, requested, offset) or uid

        @rule(
            uid=keys, user=USERS, grantee=st.sampled_from([BOB, BOB, BOB, EVERYONE]), granted=rights
        )
        def grant(self, uid, user, grantee, granted):
            steps[0] += 1
            others = [ALICE if user == BOB else BOB, EVERYONE]
            self.play.grant(user, uid, others[grantee == EVERYONE], granted)

        @rule(uid=keys, grantee=st.sampled_from([BOB, EVERYONE]), granted=rights)
        def withdraw(self, uid, grantee, granted):
            steps[0] += 1
            self.play.withdraw(ALICE, uid, grantee, granted)

        @rule(seconds=st.integers(1, 4))
        def tick(self, seconds):
            steps[0] += 1
            self.play.tick(seconds)

        @rule()
        def restart(self):
            steps[0] += 1
            world.restart()
            self.play.streams.clear()

        @rule(user=USERS, uid=keys, what=st.sampled_from(["activate", "revoke", "compromise", "destroy", "remove"]))  # fmt: skip
        def live(self, user, uid, what):
            steps[0] += 1
            if what == "activate":
                self.play.activate(user, uid)
            elif what in {"revoke", "compromise"}:
                self.play.revoke(user, uid, compromised=what == "compromise")
            else:
                self.play.destroy(user, uid, remove=what == "remove")

        # --- attributes ---------------------------------------------------------------------------

        @rule(user=USERS, uid=keys)
        def read(self, user, uid):
            steps[0] += 1
            self.play.attributes_of(user, uid)

        @rule(user=USERS, uid=keys, way=st.sampled_from(sorted(CHANGES)), what=r.CHANGES)
        def change(self, user, uid, way, what):
            steps[0] += 1
            self.play.change(user, uid, way, *what)

        @rule(user=USERS, uid=keys, name=r.DELETED)
        def delete(self, user, uid, name):
            steps[0] += 1
            self.play.delete(user, uid, name, FIELDS[name])

        # --- use ----------------------------------------------------------------------------------

        @rule(target=boxes, uid=keys, exactly=st.booleans())
        def keep_a_secret(self, uid, exactly):
            steps[0] += 1
            uid = self.suited(uid, M.ENCRYPT, exactly)
            return self.play.encrypt(ALICE, uid, self.secret())

        @rule(target=boxes, user=USERS, tags=st.sampled_from(['["a"]', '["a","b"]']))
        def encrypt_by_tags(self, user, tags):
            steps[0] += 1
            return self.play.encrypt(user, tags, self.secret())

        @rule(target=boxes, uid=keys, user=USERS, data=r.DATA, iv=r.IVS, parameters=r.PARAMETERS, aad=r.AAD, exactly=st.booleans())  # fmt: skip
        def encrypt(self, uid, user, data, iv, parameters, aad, exactly):
            steps[0] += 1
            uid = self.suited(uid, M.ENCRYPT, exactly)
            return self.play.encrypt(
                user, uid, self.data(data), iv=self.iv(iv), parameters=parameters, aad=aad
            )

        @rule(user=USERS, box=boxes, uid=st.none() | keys, parameters=r.PARAMETERS, data=st.none() | r.DATA)  # fmt: skip
        def decrypt(self, user, box, uid, parameters, data):
            steps[0] += 1
            data, box = (
                None if data is None else self.data(data),
                box or self.latest(self.play.boxes),
            )
            if box is None:
                return
            self.play.decrypt(user, box, uid, parameters=parameters, data=data)

        @rule(uid=keys, user=USERS, data=r.DATA, parameters=r.MAC_PARAMETERS, exactly=st.booleans())
        def mac(self, uid, user, data, parameters, exactly):
            steps[0] += 1
            uid = self.suited(uid, M.MAC_GENERATE, exactly)
            self.play.mac(user, uid, self.data(data), parameters)

        @rule(uid=keys, user=USERS, data=r.DATA, is_digest=st.booleans(), verifies=st.booleans())
        def sign(self, uid, user, data, is_digest, verifies):
            steps[0] += 1
            data = self.data(data)
            uid = self.suited(uid, M.SIGN, exactly=False)
            signature = self.play.sign(user, uid, data, is_digest=is_digest)
            if verifies and signature is not None:
                for public in [key.uid for key in self.play.keys.values() if key.mask == M.VERIFY]:
                    self.play.verify(user, public, data, signature)

        @rule(uid=keys, user=USERS, data=r.DATA)
        def verify_mac(self, uid, user, data):
            steps[0] += 1
            uid = self.suited(uid, M.MAC_VERIFY, exactly=False)
            self.play.verify_mac(user, uid, self.data(data), bytes(32))

        @rule(uid=keys, user=USERS, mask=r.MASKS)
        def ask_about(self, uid, user, mask):
            steps[0] += 1
            self.play.ask_about(user, uid, int(mask or 0))
            self.play.hash(user, uid.encode())

        @rule(target=keys, uid=keys, user=USERS)
        def replace_pair(self, uid, user):
            steps[0] += 1
            made = self.play.re_key_pair(user, self.suited(uid, M.SIGN, exactly=False))
            return uid if made is None else made[0]

        @rule(
            target=keys, uid=keys, user=USERS, data=r.DATA, method=r.METHODS, mask=r.MASKS,
            sensitive=st.booleans(), tags=r.TAGS, exactly=st.booleans(),
        )  # fmt: skip
        def derive(self, uid, user, data, method, mask, sensitive, tags, exactly):
            steps[0] += 1
            uid = self.suited(uid, M.DERIVE_KEY, exactly)
            length = 16 if method.name == "ENCRYPT" else 32
            attributes = r.wanted(mask=mask, sensitive=sensitive, tags=tags, length=length)
            return self.play.derive(user, uid, method, self.data(data), attributes) or uid

        # --- out and in ---------------------------------------------------------------------------

        @rule(user=USERS, uid=keys, is_export=st.booleans())
        def get(self, user, uid, is_export):
            steps[0] += 1
            self.play.get(user, uid, is_export=is_export)

        @rule(target=blobs, user=USERS, uid=keys, by=keys, mode=r.WRAP_MODES, encoding=r.ENCODINGS, is_export=st.booleans(), exactly=st.booleans())  # fmt: skip
        def get_wrapped(self, user, uid, by, mode, encoding, is_export, exactly):
            steps[0] += 1
            by = self.suited(by, M.WRAP_KEY, exactly)
            blob = self.play.get(
                user, uid, by=by, mode=mode, encoding=encoding, is_export=is_export
            )
            return blob if isinstance(blob, Blob) else None

        @rule(target=keys, user=USERS, uid=keys, mask=r.MASKS, sensitive=st.booleans(), exactly=st.booleans())  # fmt: skip
        def come_wrapped(self, user, uid, mask, sensitive, exactly):
            steps[0] += 1
            by = self.suited(uid, M.WRAP_KEY, exactly)
            return (
                self.play.create_wrapped(user, r.wanted(mask=mask, sensitive=sensitive), by) or uid
            )

        @rule(target=keys, user=USERS, blob=blobs, mask=r.MASKS, keeps=st.booleans(), registers=st.booleans())  # fmt: skip
        def bring(self, user, blob, mask, keeps, registers):
            steps[0] += 1
            uid = f"{user}-{next(self.numbers)}"
            blob = blob or self.latest(self.play.blobs)
            if blob is not None:
                self.play.bring(user, blob, uid, mask=mask, keeps=keeps, registers=registers)
            return uid

        # --- several requests ---------------------------------------------------------------------

        @rule(user=USERS, tags=r.TAGS, name=r.NAMES, state=st.sampled_from([None, State.ACTIVE]), mask=r.MASKS)  # fmt: skip
        def locate(self, user, tags, name, state, mask):
            steps[0] += 1
            wanted = (
                by_name(name) if name else Attributes(cryptographic_usage_mask=mask and int(mask))
            )
            if state is not None:
                wanted = wanted.replace(state=state)
            self.play.locate(user, wanted, frozenset(tags))

        @rule(target=boxes, user=USERS, tags=r.TAGS, name=r.NAMES, undoes=st.booleans())
        def locate_and_encrypt(self, user, tags, name, undoes):
            steps[0] += 1
            wanted = by_name(name) if name else Attributes()
            option = UNDO if undoes else CONTINUE
            secret = self.secret()
            return self.play.locate_and_encrypt(user, wanted, frozenset(tags), secret, option)

        @rule(user=USERS, uid=keys, data=r.DATA, iv=r.IVS, undoes=st.booleans())
        def batch(self, user, uid, data, iv, undoes):
            steps[0] += 1
            uid = self.suited(uid, M.ENCRYPT, exactly=False)
            option = UNDO if undoes else CONTINUE
            self.play.in_batch(user, uid, self.data(data), self.iv(iv), option)

        @rule(target=streams, user=USERS, uid=keys, operation=st.sampled_from(sorted(STREAMS)), data=r.DATA, iv=r.IVS)  # fmt: skip
        def begin_stream(self, user, uid, operation, data, iv):
            steps[0] += 1
            uid = self.suited(uid, STREAMS[operation][1], exactly=False)
            data = self.data(data)
            return self.play.begin_stream(user, operation, uid, data, self.iv(iv))

        @rule(stream=streams, user=st.none() | USERS, data=r.DATA, ends=st.booleans())
        def feed(self, stream, user, data, ends):
            steps[0] += 1
            if stream not in self.play.streams:
                stream = self.latest(self.play.streams)
            if stream is not None:
                self.play.feed(stream, self.data(data), user=user, ends=ends)

        # --- the database writer ------------------------------------------------------------------

        @rule(move=MOVES, which=NUMBERS, column=NUMBERS, value=NUMBERS, stays=st.booleans())
        def tamper(self, move, which, column, value, stays):
            steps[0] += 1
            database = world.database
            asked = [key.uid for key in self.play.keys.values() if not key.is_lost][-4:]
            before = self.play.ask(asked)
            try:
                edit = {
                    "edit": lambda: database.edit(which, column, value),
                    "copy": lambda: database.copy(which, value, column),
                    "swap": lambda: database.swap(which, value, column),
                    "remove": lambda: database.remove(which),
                    "add": lambda: database.add(which, column, value),
                    "grant": lambda: database.grant(which, BOB, [Op.GET, Op.DECRYPT, Op.ENCRYPT][value % 3]),
                }[move]()  # fmt: skip
            except Impossible:
                return
            self.play.tamper(edit, before, asked, stays=stays)

    return Machine
