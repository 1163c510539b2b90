"""The payloads that the tests of the codecs read and write: all of the server's, and PKCS#11's.

PKCS#11 is asked for in the mandatory profile cases, and not offered by the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.messages.batch_items import PayloadTypes
from kms_tornado.kmip.schema import EnumerationNumber
from kms_tornado.service.catalogue import CATALOGUE, collect_payload_types


@dataclass(frozen=True, slots=True)
class PKCS11Request:
    """pkcs_11_function: its place in CK_FUNCTION_LIST, counted from 1 (§11.38)."""

    pkcs_11_function: EnumerationNumber
    pkcs_11_interface: str | None = None
    correlation_value: bytes | None = None
    pkcs_11_input_parameters: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PKCS11Response:
    """pkcs_11_return_code: a CK_RV (§11.39)."""

    pkcs_11_function: EnumerationNumber
    pkcs_11_return_code: EnumerationNumber
    pkcs_11_interface: str | None = None
    correlation_value: bytes | None = None
    pkcs_11_output_parameters: bytes | None = field(default=None, repr=False)


PAYLOADS = {
    **collect_payload_types(CATALOGUE),
    Operation.PKCS11: PayloadTypes(PKCS11Request, PKCS11Response),
}
