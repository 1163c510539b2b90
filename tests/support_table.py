"""The tables of operations and limits in docs/, generated from those of the server.

``python -m tests.support_table`` writes them into their pages; a test keeps them equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kms_tornado.auth.bound.dpop import MAX_PROOF_LENGTH, PROOF_LIFETIME_S
from kms_tornado.auth.bound.proof_nonces import NONCE_LIFETIME_S
from kms_tornado.auth.bound.replays import SHARE
from kms_tornado.crypto import key_derivation, random
from kms_tornado.crypto.encryption.key_wrapping import MAX_KEY_WRAP_BYTES
from kms_tornado.crypto.keys.certificates import MAX_CERTIFICATE_BYTES
from kms_tornado.crypto.keys.loading import MAX_RSA_BITS
from kms_tornado.domain.managed_object import MAX_OBJECTS_OF_AN_OWNER
from kms_tornado.domain.search import MAX_SOUGHT_VALUES
from kms_tornado.kmip.codecs.long_json import MAX_REST_BYTES, MAX_TEXT_BYTES
from kms_tornado.kmip.enums import ObjectType, Operation
from kms_tornado.kmip.messages.requests import MAX_BATCH_ITEMS
from kms_tornado.kmip.tables import ENUMERATIONS, OPERATION_TAGS
from kms_tornado.kmip.ttlv import MAX_DEPTH, MAX_ITEMS
from kms_tornado.kmip_server.connection import MOST_OF_USER
from kms_tornado.kmip_server.listener import IDLE_S
from kms_tornado.operations.common.identifiers import (
    MAX_IDENTIFIER_BYTES,
    MAX_IDENTIFIER_LENGTH,
    MAX_TAG_BYTES,
    MAX_TAG_LIST_LENGTH,
)
from kms_tornado.operations.common.new_object import MAX_OBJECT_BYTES
from kms_tornado.operations.common.object_attributes import (
    MAX_ATTRIBUTES_LENGTH,
    MAX_REVOCATION_MESSAGE_LENGTH,
)
from kms_tornado.operations.common.streams import (
    MAX_HELD_BYTES_OF_A_PRINCIPAL,
    MAX_STREAMS_OF_A_PRINCIPAL,
)
from kms_tornado.operations.locate import MAX_LOCATED
from kms_tornado.operations.objects.unwrapping import MAX_WRAPPED_BYTES
from kms_tornado.options import parse
from kms_tornado.service.auditing.request import MAX_RECORDS, MAX_STEPS
from kms_tornado.service.catalogue import ALL_OBJECT_TYPES, CATALOGUE
from kms_tornado.service.load.admission import CONCURRENCY
from kms_tornado.service.load.bytes_in_flight import MOST, MOST_OF_PRINCIPAL
from kms_tornado.service.load.limits import MAX_DATA_BYTES, MAX_RESPONSE_BYTES
from kms_tornado.service.objects.access_rights import MAX_BODY_LENGTH
from kms_tornado.service.objects.listing_request import MAX_OBJECTS, MAX_TEXT_LENGTH
from kms_tornado.service.proof_memory import MOST_PROOFS
from kms_tornado.store.bounds import MAX_GRANTED_TO_EVERYONE, MAX_GRANTEES, MAX_LISTED
from kms_tornado.store.sql.tables.owners import UNIT_BYTES
from kms_tornado.transport import connections
from kms_tornado.transport.streams import MAX_HEAD_LINES

ROOT = Path(__file__).parent.parent

#: Table → the page that has its place.
PLACES = {"operations": "docs/keys.md", "limits": "docs/http.md"}


#: Operation → what the table says beside the objects that it works on.
NOTES: Mapping[Operation, str] = {
    Operation.CREATE: "AES, ChaCha20, HMAC; Active at once, but in a message Pre-Active",
    Operation.CREATE_KEY_PAIR: "RSA, and on curves as in the table of keys below",
    Operation.REGISTER: "formats below; a wrapped key is stored wrapped",
    Operation.RE_KEY: "the old key still decrypts; its Name goes to the new one",
    Operation.RE_KEY_KEY_PAIR: "as ReKey",
    Operation.DERIVE_KEY: "HKDF, PBKDF2, HMAC, hash, encryption, NIST 800-108 (counter)",
    Operation.LOCATE: "every attribute, dates as ranges; at most 1000 a page",
    Operation.GET: "formats below; Sensitive objects only wrapped",
    Operation.GET_ATTRIBUTES: "also of destroyed objects",
    Operation.GET_ATTRIBUTE_LIST: "also of destroyed objects",
    Operation.OBTAIN_LEASE: "of 3600 seconds, or until the use ends; none while Compromised",
    Operation.GET_USAGE_ALLOCATION: "for a client that protects data itself; nothing is given back",
    Operation.MODIFY_ATTRIBUTE: "Sensitive and Extractable can only be tightened",
    Operation.ADJUST_ATTRIBUTE: "numbers, intervals and Booleans that ModifyAttribute takes",
    Operation.ARCHIVE: "nothing but the attributes is to be had until Recover",
    Operation.RECOVER: "on-line at once",
    Operation.DESTROY: "wipes the key, keeps the attributes; not while Active",
    Operation.DISCOVER_VERSIONS: "1.0 to 1.4, 2.0 and 2.1",
    Operation.ENCRYPT: "symmetric: whole, or in parts by Correlation Value",
    Operation.DECRYPT: "as Encrypt",
    Operation.SIGN: "RSA PSS and PKCS#1 v1.5, ECDSA, EdDSA; whole, or in parts",
    Operation.SIGNATURE_VERIFY: "as Sign",
    Operation.MAC: "HMAC with SHA-1, SHA-2, SHA-3, AES-CMAC; whole, or in parts",
    Operation.MAC_VERIFY: "as MAC",
    Operation.HASH: "SHA-1, SHA-2, SHA-3; whole, or in parts",
    Operation.RNG_RETRIEVE: "random octets of the operating system",
    Operation.RNG_SEED: "accepted, and not needed",
    Operation.IMPORT: "as Register, under an identifier of the client's choice, with all attributes as supplied; KeyWrapType NotWrapped unwraps",
    Operation.EXPORT: "as Get, with the attributes, in any state",
    Operation.INTEROP: "only with `--kmip-interop`: logs Begin and End",
    Operation.LOG: "only with `--kmip-interop`: writes one line to the log",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """answer: an HTTP status or a Result Reason. option: what sets it, where one does."""

    name: str
    most: int
    unit: str
    answer: str
    option: str = ""


_ENDS = "the connection is closed"
DEFAULTS = parse(["--dev"], {}).settings
LIMITS = (
    Limit("body of a request", 16 * 1024 * 1024, "bytes", "413", "--max-body-size"),
    Limit(
        "connections of a process",
        DEFAULTS.max_connections,
        "connections",
        "one that is quiet is closed, else the new one gets 503",
        "--max-connections",
    ),
    Limit(
        "connections of one address, not of loopback and trusted proxies",
        DEFAULTS.max_connections // 2,
        "connections",
        "the same, among its own",
    ),
    Limit(
        "time for an answer to be read on",
        int(DEFAULTS.send_timeout_s),
        "seconds",
        _ENDS,
        "--send-timeout",
    ),
    Limit("time for a handshake of TLS", int(connections.HANDSHAKE_S), "seconds", _ENDS),
    Limit("head of a request", 64 * 1024, "bytes", _ENDS),
    Limit("lines of a head", MAX_HEAD_LINES, "lines", _ENDS),
    Limit(
        "unfinished heads of all connections",
        connections.MOST_UNREAD,
        "bytes",
        "the longest are closed",
    ),
    Limit("time for the head of a request", int(connections.HEAD_S), "seconds", _ENDS),
    Limit("time for the body of a request", int(connections.BODY_S), "seconds", _ENDS),
    Limit("time between two requests", int(connections.IDLE_S), "seconds", _ENDS),
    Limit("time between two messages of KMIP over TLS", int(IDLE_S), "seconds", _ENDS),
    Limit("connections of KMIP over TLS of one user", MOST_OF_USER, "connections", _ENDS),
    Limit("bytes of bodies and answers in flight", MOST, "bytes", "503"),
    Limit("bytes of bodies and answers of one user in flight", MOST_OF_PRINCIPAL, "bytes", "503"),
    Limit("records of one answer of `/audit`", MAX_RECORDS, "records", "400"),
    Limit("steps of one answer of `/audit/statistics`", MAX_STEPS, "steps", "400"),
    Limit("objects of one answer of `/objects`", MAX_OBJECTS, "objects", "400"),
    Limit("text that `/objects` searches for", MAX_TEXT_LENGTH, "characters", "400"),
    Limit("DPoP proof", MAX_PROOF_LENGTH, "characters", "401"),
    Limit("time for which a DPoP proof is good", PROOF_LIFETIME_S, "seconds", "401"),
    Limit("time for which a DPoP nonce is good", NONCE_LIFETIME_S, "seconds", "401"),
    Limit("used DPoP proofs that a database remembers", MOST_PROOFS, "proofs", "503"),
    Limit("used DPoP proofs of one user", int(MOST_PROOFS * SHARE), "proofs", "429"),
    Limit("requests of one user at once", CONCURRENCY, "requests", "429", "--user-concurrency"),
    Limit("body of `/access/grant`, `/access/revoke`", MAX_BODY_LENGTH, "bytes", "Invalid_Message"),
    Limit("JSON beside strings of over 4 KiB", MAX_REST_BYTES, "bytes", "Invalid_Message"),
    Limit("text in JSON with escapes or beyond ASCII", MAX_TEXT_BYTES, "bytes", "Invalid_Message"),
    Limit("nesting of a message", MAX_DEPTH, "levels", "Invalid_Message"),
    Limit("items of TTLV in a message", MAX_ITEMS, "items", "Invalid_Message"),
    Limit("operations in a message", MAX_BATCH_ITEMS, "items", "Invalid_Message"),
    Limit("data of one operation", MAX_DATA_BYTES, "bytes", "Invalid_Field"),
    Limit("answer to a message", MAX_RESPONSE_BYTES, "bytes", "Response_Too_Large"),
    Limit("streams of one user", MAX_STREAMS_OF_A_PRINCIPAL, "streams", "the oldest is dropped"),
    Limit(
        "data decrypted in parts",
        MAX_HELD_BYTES_OF_A_PRINCIPAL,
        "bytes",
        "Server_Limit_Exceeded",
    ),
    Limit("identifier", MAX_IDENTIFIER_LENGTH, "characters", "Invalid_Attribute_Value"),
    Limit("identifier in UTF-8", MAX_IDENTIFIER_BYTES, "bytes", "Invalid_Attribute_Value"),
    Limit("tag in UTF-8", MAX_TAG_BYTES, "bytes", "Invalid_Attribute_Value"),
    Limit("tag list as identifier", MAX_TAG_LIST_LENGTH, "characters", "Invalid_Field"),
    Limit("attributes of an object", MAX_ATTRIBUTES_LENGTH, "characters", "Invalid_Field"),
    Limit("identifiers in one answer to Locate", MAX_LOCATED, "items", "a page of that many"),
    Limit("objects in a listing", MAX_LISTED, "objects", "the newest; Locate finds the others"),
    Limit("users with rights on one object", MAX_GRANTEES, "users", "Server_Limit_Exceeded"),
    Limit(
        "objects of one owner that are granted to `*`",
        MAX_GRANTED_TO_EVERYONE,
        "objects",
        "Server_Limit_Exceeded",
    ),
    Limit("values in one search by Locate", MAX_SOUGHT_VALUES, "values", "Invalid_Field"),
    Limit("object", MAX_OBJECT_BYTES, "bytes", "Invalid_Field"),
    Limit("wrapped object", MAX_WRAPPED_BYTES, "bytes", "Invalid_Field"),
    Limit("key that AES-KW or AES-KWP wraps", MAX_KEY_WRAP_BYTES, "bytes", "Invalid_Field"),
    Limit("certificate", MAX_CERTIFICATE_BYTES, "bytes", "Invalid_Field"),
    Limit("reason of a revocation", MAX_REVOCATION_MESSAGE_LENGTH, "characters", "Invalid_Field"),
    Limit("RSA key", MAX_RSA_BITS, "bits", "Invalid_Attribute_Value"),
    Limit("derived key", key_derivation.MAX_DERIVED_BYTES, "bytes", "Invalid_Field"),
    Limit("iterations of PBKDF2", key_derivation.MAX_PBKDF2_ROUNDS, "rounds", "Invalid_Field"),
    Limit("random data", random.MAX_RANDOM_BYTES, "bytes", "Invalid_Field"),
    Limit("objects of one owner", MAX_OBJECTS_OF_AN_OWNER, "objects", "Server_Limit_Exceeded"),
    Limit(
        "bytes of one owner's objects",
        MAX_OBJECTS_OF_AN_OWNER * UNIT_BYTES,
        "bytes",
        "Server_Limit_Exceeded",
    ),
)


def operations() -> str:
    lines = ["| operation | objects | notes |", "|---|---|---|"]
    for operation, row in CATALOGUE.items():
        objects, note = _objects(row.object_types), NOTES.get(operation, "")
        lines.append(f"| {OPERATION_TAGS[operation]} | {objects} | {note} |")
    return "\n".join(lines)


def limits() -> str:
    lines = ["| limit | most | answer beyond |", "|---|---|---|"]
    for limit in LIMITS:
        option = f" (`{limit.option}`)" if limit.option else ""
        answer = f"`{limit.answer}`" if re.fullmatch(r"\w+", limit.answer) else limit.answer
        lines.append(f"| {limit.name}{option} | {limit.most:,} {limit.unit} | {answer} |")
    return "\n".join(lines)


TABLES = {"operations": operations, "limits": limits}


def rewritten(text: str, page: str) -> str:
    """The page with each of its tables as it should be. Raises LookupError where one has no place."""
    for name, place in PLACES.items():
        if place != page:
            continue
        begin, end = f"<!-- {name}: python -m tests.support_table -->", "<!-- end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise LookupError(f"{page} has no place for the table of {name}")
        whole = f"{begin}\n\n{TABLES[name]()}\n\n{end}"
        text = pattern.sub(lambda _, whole=whole: whole, text)  # type: ignore[misc]
    return text


def _objects(types: tuple[ObjectType, ...]) -> str:
    if types == ALL_OBJECT_TYPES:
        return "all"
    return ", ".join(ENUMERATIONS["ObjectType"].oasis[object_type] for object_type in types)


if __name__ == "__main__":
    for page in PLACES.values():
        path = ROOT / page
        path.write_text(rewritten(path.read_text(), page))
