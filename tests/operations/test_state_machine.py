"""Any order of operations, dates and attribute changes against an independent model (Hypothesis).

No sequence turns a Sensitive object into plaintext, and none uses a key against its state, its mask, its
dates or its limit. What the server allows, the model must allow, and the other way round where it knows.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.errors import KMIPError
from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
    WrappingMethod,
)
from kms_tornado.kmip.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyMaterialField,
    KeyValue,
    KeyWrappingSpecification,
    SymmetricKey,
)
from kms_tornado.kmip.payloads import (
    ActivateRequest,
    AddAttributeRequest,
    AttributeReference,
    CreateRequest,
    DecryptRequest,
    DeleteAttributeRequest,
    DestroyRequest,
    EncryptRequest,
    ExportRequest,
    GetAttributesRequest,
    GetRequest,
    ImportRequest,
    ModifyAttributeRequest,
    ReKeyRequest,
    RevokeRequest,
    SetAttributeRequest,
)
from kms_tornado.kmip.schema import to_node
from kms_tornado.kmip.structures import RevocationReason, UsageLimits
from kms_tornado.kmip.ttlv import Node

from .inside import START, Inside

M, S = CryptographicUsageMask, State
ALIVE = {S.PRE_ACTIVE, S.ACTIVE, S.DEACTIVATED, S.COMPROMISED}

MASKS = st.sampled_from(
    [None, None, M.ENCRYPT, M.DECRYPT, M.ENCRYPT | M.DECRYPT, M.WRAP_KEY | M.UNWRAP_KEY,
     M.WRAP_KEY | M.UNWRAP_KEY | M.ENCRYPT | M.DECRYPT]
)  # fmt: skip
#: Of an AES key for which nobody names one.
DEFAULT_MASK = M.ENCRYPT | M.DECRYPT | M.WRAP_KEY | M.UNWRAP_KEY
#: Seconds from the start: (activation, process start, protect stop, deactivation), mostly none.
FEW_DATES = st.one_of(
    st.just((None, None, None, None)),
    st.tuples(st.none(), st.none(), st.integers(0, 6), st.none()),
    st.tuples(st.none(), st.integers(0, 6), st.none(), st.none()),
    st.tuples(st.integers(-2, 4), st.none(), st.none(), st.none() | st.integers(4, 8)),
    st.tuples(*[st.none() | st.integers(-2, 12)] * 4),
)
DATES = ("activation_date", "process_start_date", "protect_stop_date", "deactivation_date")
CHANGES = {
    "add": (Operation.ADD_ATTRIBUTE, AddAttributeRequest),
    "set": (Operation.SET_ATTRIBUTE, SetAttributeRequest),
    "modify": (Operation.MODIFY_ATTRIBUTE, ModifyAttributeRequest),
}
HOSTILE = st.one_of(
    st.tuples(st.just("sensitive"), st.booleans()),
    st.tuples(st.just("extractable"), st.booleans()),
    st.tuples(st.sampled_from(["always_sensitive", "never_extractable", "fresh"]), st.booleans()),
    st.tuples(st.sampled_from(DATES), st.integers(-2, 12).map(lambda each: START + each)),
    st.tuples(st.just("state"), st.sampled_from(State)),
    st.tuples(st.just("cryptographic_usage_mask"), st.just(int(M.UNRESTRICTED))),
    st.tuples(
        st.just("usage_limits"),
        st.builds(UsageLimits, st.integers(0, 9), st.just(9), st.just(UsageLimitsUnit.BYTE)),
    ),
)
DELETED = st.sampled_from(
    ["Sensitive", "Extractable", "UsageLimits", "CryptographicUsageMask", "State", "DeactivationDate",
     "ProtectStopDate", "ProcessStartDate", "ActivationDate", "AlwaysSensitive"]
)  # fmt: skip


@dataclass
class Key:
    """What must be so. left: bytes; None: no limit. material: None where only the server knows it."""

    material: bytes | None
    state: State
    mask: int
    sensitive: bool
    extractable: bool
    dates: dict[str, int | None]
    total: int | None
    left: int | None

    def settle(self, now: int) -> None:
        """One second after the other, as time goes."""
        activation, end = self.dates["activation_date"], self.dates["deactivation_date"]
        if self.state is S.PRE_ACTIVE and activation is not None and activation <= now:
            self.state = S.ACTIVE
        if self.state is S.ACTIVE and end is not None and end <= now:
            self.state = S.DEACTIVATED

    def allows(self, bit: M) -> bool:
        return bool(self.mask & bit)

    def may_encrypt(self, now: int, size: int) -> bool:
        stop = self.dates["protect_stop_date"]
        is_left = self.left is None or (self.left > 0 and self.left >= size)
        return (
            self.state is S.ACTIVE
            and self.allows(M.ENCRYPT)
            and is_left
            and not (stop is not None and stop <= now)
        )

    def may_decrypt(self, now: int) -> bool:
        start = self.dates["process_start_date"]
        return (
            self.state in ALIVE - {S.PRE_ACTIVE}
            and self.allows(M.DECRYPT)
            and not (start is not None and start > now)
        )


def octets_in(node: Node) -> Iterator[bytes]:
    if isinstance(node.value, tuple):
        for child in node.value:
            yield from octets_in(child)
    elif isinstance(node.value, bytes):
        yield node.value


def machine(kms: Inside) -> type[RuleBasedStateMachine]:
    """Every example is a user of its own, and begins when the clock does."""
    numbers = itertools.count(1)

    class Machine(RuleBasedStateMachine):
        keys = Bundle("keys")
        boxes = Bundle("boxes")
        wrapping = Bundle("wrapping")
        wraps = Bundle("wraps")

        @initialize()
        def begin(self) -> None:
            self.user = f"user-{next(numbers)}"
            self.model: dict[str, Key] = {}
            kms.clock = START

        @property
        def now(self) -> int:
            return kms.clock

        def try_(self, operation: Operation, request: object) -> object | None:
            """The response, or None where it was refused; nothing secret is ever in either."""
            try:
                response = kms.do(self.user, operation, request)
            except KMIPError as exc:
                shown, response = [str(exc).encode()], None
            else:
                shown = list(octets_in(to_node(response, "ResponsePayload")))
            for key in self.model.values():
                if key.sensitive and key.material is not None:
                    assert not any(key.material in each for each in shown)
            return response

        # --- keys come ------------------------------------------------------------------------

        @rule(
            target=keys, mask=MASKS, sensitive=st.booleans(), extractable=st.booleans(),
            dates=FEW_DATES, total=st.none() | st.integers(0, 9), is_made=st.booleans(),
        )  # fmt: skip
        def come(self, mask, sensitive, extractable, dates, total, is_made):
            number = next(numbers)
            # Import keeps the count that is supplied.
            left = total if is_made or total is None else total // 2
            given = {
                name: None if each is None else START + each
                for name, each in zip(DATES, dates, strict=True)
            }
            wanted = Attributes(
                cryptographic_algorithm=CryptographicAlgorithm.AES,
                cryptographic_length=256,
                cryptographic_usage_mask=None if mask is None else int(mask),
                sensitive=sensitive,
                extractable=extractable,
                usage_limits=None
                if total is None
                else UsageLimits(total, 10**6 if is_made else left, UsageLimitsUnit.BYTE),
                **given,
            )
            material = None if is_made else (2**200 + number).to_bytes(32, "big")
            uid = f"key-{number}"
            if is_made:
                made = self.try_(Operation.CREATE, CreateRequest(ObjectType.SYMMETRIC_KEY, wanted))
                uid = uid if made is None else made.unique_identifier
            else:
                made = self.try_(Operation.IMPORT, importing(uid, wanted, material))
            if made is None:  # dates out of their order
                assert any(each is not None for each in dates)
                return uid
            if given["activation_date"] is None:
                ended = not is_made and given["deactivation_date"]
                given["activation_date"] = min(self.now, ended or self.now)  # not after its end
            key = Key(
                material, S.PRE_ACTIVE, int(DEFAULT_MASK if mask is None else mask), sensitive,
                extractable, given, total, left,
            )  # fmt: skip
            key.settle(self.now)
            self.model[uid] = key
            return uid

        @rule(
            target=wrapping, sensitive=st.booleans(), is_made=st.booleans(),
            mask=st.sampled_from([None, M.WRAP_KEY | M.UNWRAP_KEY, M.WRAP_KEY | M.DECRYPT]),
        )  # fmt: skip
        def come_to_wrap(self, sensitive, is_made, mask):
            return self.come(mask, sensitive, True, (None,) * 4, None, is_made)

        @rule(target=keys, uid=keys, offset=st.none() | st.integers(0, 5))
        def replace(self, uid, offset):
            made = self.try_(Operation.RE_KEY, ReKeyRequest(uid, offset))
            if made is None:
                return uid
            old = self.model[uid]
            assert old.state in ALIVE
            found = self.known(made.unique_identifier)
            assert found.sensitive is old.sensitive
            assert found.extractable is old.extractable
            assert found.cryptographic_usage_mask == old.mask
            new = Key(
                None, S.PRE_ACTIVE, old.mask, old.sensitive, old.extractable,
                {each: getattr(found, each) for each in DATES}, old.total, old.total,
            )  # fmt: skip
            new.settle(self.now)
            self.model[made.unique_identifier] = new
            return made.unique_identifier

        # --- time and life --------------------------------------------------------------------

        @rule(seconds=st.integers(1, 4))
        def tick(self, seconds):
            kms.clock += seconds
            for key in self.model.values():
                key.settle(self.now)

        @rule(uid=keys)
        def activate(self, uid):
            if self.try_(Operation.ACTIVATE, ActivateRequest(uid)) is not None:
                key = self.model[uid]
                assert key.state is S.PRE_ACTIVE
                key.dates["activation_date"] = self.now
                key.settle(self.now)
                assert key.state is S.ACTIVE

        @rule(uid=keys, compromised=st.booleans())
        def revoke(self, uid, compromised):
            code = (
                RevocationReasonCode.KEY_COMPROMISE
                if compromised
                else RevocationReasonCode.SUPERSEDED
            )
            done = self.try_(Operation.REVOKE, RevokeRequest(uid, RevocationReason(code)))
            if done is None:
                assert uid not in self.model or (
                    self.model[uid].state is S.PRE_ACTIVE and not compromised
                )
                return
            key = self.model[uid]
            if compromised:
                key.state = S.COMPROMISED if key.state in ALIVE else S.DESTROYED_COMPROMISED
            elif key.state is S.ACTIVE:
                key.state = S.DEACTIVATED
                key.dates["deactivation_date"] = self.now

        @rule(uid=keys)
        def destroy(self, uid):
            done = self.try_(Operation.DESTROY, DestroyRequest(uid))
            if done is None:
                assert uid not in self.model or self.model[uid].state is S.ACTIVE
                return
            key = self.model[uid]
            if key.state in ALIVE:
                assert key.state is not S.ACTIVE
                is_bad = key.state is S.COMPROMISED
                key.state = S.DESTROYED_COMPROMISED if is_bad else S.DESTROYED

        # --- attributes -----------------------------------------------------------------------

        @rule(uid=keys | wrapping, way=st.sampled_from(sorted(CHANGES)), what=HOSTILE)
        def change(self, uid, way, what):
            field, value = what
            operation, request = CHANGES[way]
            done = self.try_(
                operation,
                request(new_attribute=AttributeInstance(field, value), unique_identifier=uid),
            )
            if done is None:
                return
            key = self.model[uid]
            assert key.state in ALIVE
            if field == "sensitive":
                assert value or not key.sensitive, "Sensitive was taken back"
                key.sensitive = value
            elif field == "extractable":
                assert not value or key.extractable, "Extractable was given back"
                key.extractable = value
            elif field == "usage_limits":
                assert key.left == key.total, "limits were changed after use"
                key.total = key.left = value.usage_limits_total
            else:
                assert field in DATES, f"{field} is the server's"
                if field == "activation_date":
                    assert key.state is S.PRE_ACTIVE
                key.dates[field] = value
                key.settle(self.now)

        @rule(uid=keys, name=DELETED)
        def delete(self, uid, name):
            request = DeleteAttributeRequest(uid, attribute_reference=AttributeReference(name))
            if self.try_(Operation.DELETE_ATTRIBUTE, request) is not None:
                assert name == "UsageLimits"
                key = self.model[uid]
                assert key.left == key.total
                key.total = key.left = None

        # --- use ------------------------------------------------------------------------------

        @rule(target=boxes, uid=keys, data=st.binary(min_size=1, max_size=5))
        def encrypt(self, uid, data):
            """And what was encrypted is decrypted at once, if it may be."""
            sealed = self.try_(Operation.ENCRYPT, EncryptRequest(uid, data=data))
            key = self.model.get(uid)
            assert (sealed is not None) is (
                key is not None and key.may_encrypt(self.now, len(data))
            )
            if sealed is not None and key.left is not None:
                key.left -= len(data)
            self.decrypt_box((sealed, data))
            return sealed, data

        @rule(box=boxes)
        def decrypt(self, box):
            self.decrypt_box(box)

        def decrypt_box(self, box):
            sealed, data = box
            if sealed is None:
                return
            uid = sealed.unique_identifier
            opened = self.try_(
                Operation.DECRYPT,
                DecryptRequest(
                    uid,
                    data=sealed.data,
                    iv_counter_nonce=sealed.iv_counter_nonce,
                    authenticated_encryption_tag=sealed.authenticated_encryption_tag,
                ),
            )
            assert (opened is not None) is self.model[uid].may_decrypt(self.now)
            assert opened is None or opened.data == data

        @rule(uid=keys | wrapping, is_export=st.booleans())
        def get(self, uid, is_export):
            key = self.model.get(uid)
            if is_export:
                got = self.try_(Operation.EXPORT, ExportRequest(uid))
            else:
                got = self.try_(Operation.GET, GetRequest(uid))
            if got is None or got.object is None:
                assert key is None or key.sensitive or not key.extractable or key.state not in ALIVE
                return
            assert not key.sensitive
            assert key.extractable
            assert key.state in ALIVE
            found = got.object.key_block.key_value.key_material.octets
            assert key.material in {None, found}
            key.material = found

        @rule(target=wraps, uid=keys | wrapping, by=wrapping | keys)
        def get_wrapped(self, uid, by):
            specification = KeyWrappingSpecification(
                WrappingMethod.ENCRYPT, EncryptionKeyInformation(by)
            )
            got = self.try_(
                Operation.GET, GetRequest(uid, key_wrapping_specification=specification)
            )
            if got is None:
                return None, None
            key, wrapping = self.model[uid], self.model[by]
            assert key.extractable
            assert wrapping.state is S.ACTIVE
            assert wrapping.allows(M.WRAP_KEY)
            if key.sensitive:  # what comes out must not be readable with anything that came out
                assert wrapping.sensitive
                assert wrapping.material is None
            if wrapping.left is not None:
                left = self.known(by).usage_limits.usage_limits_count
                assert 0 <= left < wrapping.left
                wrapping.left = left
            had = dataclasses.replace(key, dates=dict(key.dates)) if key.sensitive else None
            return got.object, had

        @rule(target=keys, wrapped=wraps, mask=MASKS, total=st.none() | st.integers(0, 99))
        def import_wrapped(self, wrapped, mask, total):
            """The way back: the request asks for more than the key had, and the server knows better."""
            uid = f"key-{next(numbers)}"
            wrapped, had = wrapped
            if wrapped is None:
                return uid
            limits = None if total is None else UsageLimits(total, total, UsageLimitsUnit.BYTE)
            request = ImportRequest(
                uid,
                ObjectType.SYMMETRIC_KEY,
                key_wrap_type=KeyWrapType.NOT_WRAPPED,
                attributes=Attributes(
                    cryptographic_algorithm=CryptographicAlgorithm.AES, sensitive=False,
                    cryptographic_usage_mask=None if mask is None else int(mask),
                    usage_limits=limits,
                ),
                object=wrapped,
            )  # fmt: skip
            if self.try_(Operation.IMPORT, request) is None:
                return uid
            found = self.known(uid)
            key = Key(
                None, S.PRE_ACTIVE, found.cryptographic_usage_mask, bool(found.sensitive),
                found.extractable is not False, {each: getattr(found, each) for each in DATES}, total, total,
            )  # fmt: skip
            key.settle(self.now)
            if had is not None:
                assert key.sensitive
                assert had.mask is None or (key.mask is not None and not key.mask & ~had.mask)
                assert key.dates == had.dates
                key.state = S.COMPROMISED if had.state is S.COMPROMISED else key.state
                if had.left is not None:
                    key.total = had.total
                    key.left = had.left if total is None else min(had.left, total)
            self.model[uid] = key
            return uid

        def known(self, uid: str) -> Attributes:
            found = kms.do(self.user, Operation.GET_ATTRIBUTES, GetAttributesRequest(uid))
            return found.attributes

        @invariant()
        def what_is_told_of_a_key_is_so(self):
            for uid, key in getattr(self, "model", {}).items():
                found = self.known(uid)
                assert found.state is key.state
                assert found.sensitive is key.sensitive
                assert found.extractable is key.extractable
                assert found.cryptographic_usage_mask == key.mask
                assert {each: getattr(found, each) for each in DATES} == key.dates
                count = found.usage_limits and found.usage_limits.usage_limits_count
                assert count == key.left

    return Machine


def importing(uid: str, wanted: Attributes, material: bytes) -> ImportRequest:
    return ImportRequest(
        uid,
        ObjectType.SYMMETRIC_KEY,
        attributes=wanted,
        object=SymmetricKey(
            KeyBlock(
                KeyFormatType.RAW,
                key_value=KeyValue(KeyMaterialField(material)),
                cryptographic_algorithm=CryptographicAlgorithm.AES,
                cryptographic_length=256,
            )
        ),
    )


def run(directory: Path, *, examples: int, steps: int) -> None:
    with Inside(directory) as kms:
        run_state_machine_as_test(
            machine(kms),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_no_sequence_uses_a_key_against_its_rules_or_shows_a_sensitive_one(tmp_path):
    run(tmp_path, examples=60, steps=40)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_no_long_sequence_does_either(tmp_path):
    run(tmp_path, examples=3000, steps=60)


def test_model_knows_what_is_in_an_answer():
    secret = KeyMaterial(bytes(32)).reveal()
    request = importing("x", Attributes(), secret)
    assert secret in list(octets_in(to_node(request, "RequestPayload")))
