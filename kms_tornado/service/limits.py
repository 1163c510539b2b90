"""Limits: how much one request or one owner may ask for, and what the answer is beyond.

Each limit is enforced where its value is defined; this page gathers them, for the README and for the
test that goes beyond each. Why each is what it is stands beside its value.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..crypto import derive, random
from ..crypto.keys.asymmetric import MAX_RSA_BITS
from ..crypto.keys.certificates import MAX_CERTIFICATE_BYTES
from ..domain.managed_object import MAX_OBJECTS_OF_AN_OWNER
from ..domain.search import MAX_SOUGHT_VALUES
from ..errors import InvalidField
from ..kmip.requests import MAX_BATCH_ITEMS
from ..kmip.ttlv import MAX_DEPTH, MAX_ITEMS
from ..operations.attributes import MAX_ATTRIBUTES_LENGTH
from ..operations.common.call import MAX_IDENTIFIER_LENGTH, MAX_TAG_LIST_LENGTH
from ..operations.common.new_object import MAX_OBJECT_BYTES
from ..operations.common.streams import MAX_KEPT_BYTES_OF_A_PRINCIPAL, MAX_OF_A_PRINCIPAL
from ..operations.lifecycle import MAX_REVOCATION_MESSAGE_LENGTH
from ..operations.locate import MAX_LOCATED
from ..store.bounds import MOST_GRANTEES, MOST_LISTED
from .access_rights import MAX_BODY_LENGTH

#: Data of one cryptographic operation. AES-GCM in one piece holds Python's lock for all of it, about a
#: millisecond a MiB; who has more sends it in parts. In hex it is just within the largest body.
MAX_DATA_BYTES = 7 * 1024 * 1024

#: Of binary TTLV, whatever the encoding. A hundred answers to Locate could be a hundred megabytes.
MAX_RESPONSE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """answer: an HTTP status or a Result Reason. option: what sets it, where one does."""

    name: str
    most: int
    unit: str
    answer: str
    option: str = ""


LIMITS = (
    Limit("body of a request", 16 * 1024 * 1024, "bytes", "413", "--max-body-size"),
    Limit("body of `/access/grant`, `/access/revoke`", MAX_BODY_LENGTH, "bytes", "Invalid_Message"),
    Limit("nesting of a message", MAX_DEPTH, "levels", "Invalid_Message"),
    Limit("items of TTLV in a message", MAX_ITEMS, "items", "Invalid_Message"),
    Limit("operations in a message", MAX_BATCH_ITEMS, "items", "Invalid_Message"),
    Limit("data of one operation", MAX_DATA_BYTES, "bytes", "Invalid_Field"),
    Limit("answer to a message", MAX_RESPONSE_BYTES, "bytes of binary TTLV", "Response_Too_Large"),
    Limit("streams of one user", MAX_OF_A_PRINCIPAL, "streams", "the oldest is given up"),
    Limit(
        "data decrypted in parts",
        MAX_KEPT_BYTES_OF_A_PRINCIPAL,
        "bytes",
        "Server_Limit_Exceeded",
    ),
    Limit("identifier", MAX_IDENTIFIER_LENGTH, "characters", "Invalid_Attribute_Value"),
    Limit("tag list as identifier", MAX_TAG_LIST_LENGTH, "characters", "Invalid_Field"),
    Limit("attributes of an object", MAX_ATTRIBUTES_LENGTH, "characters", "Invalid_Field"),
    Limit("identifiers in one answer to Locate", MAX_LOCATED, "items", "a page of so many"),
    Limit("objects in a listing", MOST_LISTED, "objects", "the newest; Locate finds the others"),
    Limit("users with rights on one object", MOST_GRANTEES, "users", "Server_Limit_Exceeded"),
    Limit("values in one search by Locate", MAX_SOUGHT_VALUES, "values", "Invalid_Field"),
    Limit("object", MAX_OBJECT_BYTES, "bytes", "Invalid_Field"),
    Limit("certificate", MAX_CERTIFICATE_BYTES, "bytes", "Invalid_Field"),
    Limit("reason of a revocation", MAX_REVOCATION_MESSAGE_LENGTH, "characters", "Invalid_Field"),
    Limit("RSA key", MAX_RSA_BITS, "bits", "Invalid_Attribute_Value"),
    Limit("derived key", derive.MAX_BYTES, "bytes", "Invalid_Field"),
    Limit("iterations of PBKDF2", derive.MAX_PBKDF2_ROUNDS, "rounds", "Invalid_Field"),
    Limit("random data", random.MAX_BYTES, "bytes", "Invalid_Field"),
    Limit("objects of one owner", MAX_OBJECTS_OF_AN_OWNER, "objects", "Server_Limit_Exceeded"),
)


def check_data(request: object) -> None:
    """Raises InvalidField where the request carries more data than one operation takes."""
    data = getattr(request, "data", None)
    if isinstance(data, bytes) and len(data) > MAX_DATA_BYTES:
        raise InvalidField(f"Data has at most {MAX_DATA_BYTES} bytes: send more in parts")
