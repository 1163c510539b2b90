"""No order of operations makes a Sensitive key plain (Hypothesis; docs/security.md, "Abuse cases").

The key's owner is the attacker: wraps it with any key, brings what left back in with any mask, kept
wrapped or not, decrypts what left with any key, weakens what can be weakened. Whatever bytes come out
are tried as the key.
"""

from __future__ import annotations

import contextlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from ...kmip_items import attributes, batch_item, flag, name, octets, structure, uid
from ...kms import KMS
from .wrapping import under

#: None at all; Wrap and Unwrap; those and Decrypt; those and Encrypt, Decrypt; those and Unrestricted.
MASKS = (None, 0x30, 0x38, 0x3C, 0x200030)
MODES = st.sampled_from([None, "NISTKeyWrap", "AESKeyWrapPadding", "GCM"])
OPERATIONS = st.sampled_from(["Get", "Export"])
WRAP_TYPES = st.sampled_from(["AsRegistered", "NotWrapped"])


def machine(kms: KMS) -> type[RuleBasedStateMachine]:
    class Machine(RuleBasedStateMachine):
        keys = Bundle("keys")
        wrapped = Bundle("wrapped")

        @initialize(target=keys)
        def begin(self):
            self.user = kms.user()
            self.secret = self.user.create(flag("Sensitive", True))
            self.sealed = self.user.encrypt(self.secret, b"data")
            return multiple(
                self.secret,
                *(
                    self.user.create(flag("Sensitive", sensitive), mask=mask)
                    for mask in MASKS
                    for sensitive in (False, True)
                ),
            )

        def teardown(self) -> None:
            if hasattr(self, "user"):
                self.user.close()

        def try_as_key(self, found: bytes) -> None:
            if len(found) == 32:
                with contextlib.suppress(InvalidTag):
                    AESGCM(found).decrypt(self.sealed.iv, self.sealed.data + self.sealed.tag, b"")
                    raise AssertionError("the Sensitive key is plain")

        def asked(self, *items):
            """The payload; None where it is refused."""
            (result,) = self.user.ask(batch_item(*items))
            return result if result["ResultStatus"] == "Success" else None

        @rule(
            target=wrapped, key=keys, by=keys, mode=MODES, operation=OPERATIONS,
            wraps_secret=st.booleans(), encoding=st.sampled_from([None, "NoEncoding", "TTLVEncoding"]),
        )  # fmt: skip
        def wrap(self, key, by, mode, operation, wraps_secret, encoding):
            key = self.secret if wraps_secret else key
            result = self.asked(operation, uid(key), under(by, mode, encoding))
            if result is None:
                return multiple()
            held = result["ResponsePayload", "SymmetricKey"]
            self.try_to_decrypt(held, by)
            return held

        @rule(
            target=keys,
            held=wrapped,
            mask=st.sampled_from(MASKS),
            wrap_type=WRAP_TYPES,
            sensitive=st.booleans(),
        )
        def bring_back(self, held, mask: int | None, wrap_type: str, sensitive: bool):
            result = self.asked(
                "Import", uid(""), name("ObjectType", "SymmetricKey"), name("KeyWrapType", wrap_type),
                attributes(flag("Sensitive", sensitive), bits=256, mask=mask),
                structure("SymmetricKey", *held),
            )  # fmt: skip
            if result is None:
                return multiple()
            key = result["ResponsePayload", "UniqueIdentifier"]
            self.try_to_read(key, "Get", "NotWrapped")
            return key

        @rule(key=keys, operation=OPERATIONS, wrap_type=WRAP_TYPES)
        def read(self, key: str, operation: str, wrap_type: str) -> None:
            self.try_to_read(key, operation, wrap_type)

        def try_to_read(self, key: str, operation: str, wrap_type: str) -> None:
            result = self.asked(operation, uid(key), name("KeyWrapType", wrap_type))
            block = result and result["ResponsePayload", "SymmetricKey", "KeyBlock"]
            for each in block or []:
                if each["tag"] == "KeyValue" and isinstance(each["value"], list):
                    self.try_as_key(bytes.fromhex(each["value"][0]["value"]))

        @rule(held=wrapped, by=keys)
        def decrypt(self, held, by: str) -> None:
            self.try_to_decrypt(held, by)

        def try_to_decrypt(self, held, by: str) -> None:
            value = next((each["value"] for each in held if each["tag"] == "KeyBlock"), [])
            value = next((each["value"] for each in value if each["tag"] == "KeyValue"), None)
            if isinstance(value, list):
                value = value[0]["value"]
            found = bytes.fromhex(value or "")
            if len(found) < 28:
                return
            answer = self.user.send(
                structure(
                    "Decrypt", uid(by), octets("Data", found[12:-16]),
                    octets("IvCounterNonce", found[:12]),
                    octets("AuthenticatedEncryptionTag", found[-16:]),
                )
            )  # fmt: skip
            if answer.status == 200:
                data = answer.text.rpartition('"value":')[2].strip('"}] ')
                self.try_as_key(bytes.fromhex(data)[-32:])

        @rule(key=keys, item=st.sampled_from([flag("Sensitive", False), flag("Extractable", True)]))
        def weaken(self, key: str, item) -> None:
            self.asked("SetAttribute", uid(key), structure("NewAttribute", item))

    return Machine


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_no_order_of_operations_makes_a_sensitive_key_plain(kms):
    run_state_machine_as_test(
        machine(kms),
        settings=settings(
            max_examples=12,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
