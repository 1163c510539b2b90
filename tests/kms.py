"""A key server in a process of its own, and users who speak KMIP to it through real sockets.

No answer reaches a test unchecked: `operations.rules` holds what published clients can read.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from .issuer import Issuer
from .operations.rules import check_answer, check_failure
from .server import warm_servers
from .support import Response
from .warm import WarmProcess

ROOT = Path(__file__).parents[1]

Item = dict[str, Any]

_numbers = itertools.count(1)


# --- what is sent -------------------------------------------------------------------------------


def structure(tag: str, *items: Item) -> Item:
    return {"tag": tag, "type": "Structure", "value": list(items)}


def text(tag: str, value: str) -> Item:
    return {"tag": tag, "type": "TextString", "value": value}


def octets(tag: str, value: bytes) -> Item:
    return {"tag": tag, "type": "ByteString", "value": value.hex().upper()}


def name(tag: str, value: str | int) -> Item:
    return {"tag": tag, "type": "Enumeration", "value": value}


def number(tag: str, value: int) -> Item:
    return {"tag": tag, "type": "Integer", "value": value}


def long_number(tag: str, value: int) -> Item:
    return {"tag": tag, "type": "LongInteger", "value": f"0x{value % 2**64:016X}"}


def flag(tag: str, value: bool) -> Item:
    return {"tag": tag, "type": "Boolean", "value": value}


def date(tag: str, value: str) -> Item:
    """value: ISO 8601."""
    return {"tag": tag, "type": "DateTime", "value": value}


#: Makes an object Active that a message would leave Pre-Active.
ACTIVATED = date("ActivationDate", "2020-01-01T00:00:00Z")


def uid(value: str | Sequence[str]) -> Item:
    """An identifier; a list of tags becomes the JSON that cosmian_kms makes of it."""
    return text("UniqueIdentifier", value if isinstance(value, str) else json.dumps(list(value)))


def vendor(attribute: str, value: bytes, vendor_identification: str = "cosmian") -> Item:
    """The inner structure of a vendor attribute."""
    return structure(
        "VendorAttributes",
        text("VendorIdentification", vendor_identification),
        text("AttributeName", attribute),
        octets("AttributeValue", value),
    )


def tagged(*tags: str) -> Item:
    """The tag attribute, as both clients send it."""
    return structure("VendorAttributes", vendor("tag", json.dumps(tags).encode()))


def named(value: str) -> Item:
    """The attribute Name."""
    return structure("Name", text("NameValue", value), name("NameType", "UninterpretedTextString"))


def attributes(
    *more: Item, algorithm: str | None = "AES", bits: int | None = None, mask: int | None = None
) -> Item:
    fields = [
        algorithm and name("CryptographicAlgorithm", algorithm),
        bits is not None and number("CryptographicLength", bits),
        mask is not None and number("CryptographicUsageMask", mask),
    ]
    return structure("Attributes", *(field for field in fields if field), *more)


def key_object(
    key: bytes, *, algorithm: str | None = "AES", form: str = "Raw", inner: Item | None = None
) -> Item:
    """`Object` with a key block: KeyMaterial as {ByteString}, or as {Key} where it is transparent."""
    material = "Key" if form == "TransparentSymmetricKey" else "ByteString"
    return structure(
        "Object",
        structure(
            "KeyBlock",
            name("KeyFormatType", form),
            structure(
                "KeyValue",
                structure("KeyMaterial", octets(material, key)),
                *([inner] if inner else []),
            ),
            *([name("CryptographicAlgorithm", algorithm)] if algorithm else []),
            number("CryptographicLength", 8 * len(key)),
        ),
    )


def version(major: int, minor: int) -> Item:
    return structure(
        "ProtocolVersion",
        number("ProtocolVersionMajor", major),
        number("ProtocolVersionMinor", minor),
    )


def batch_item(operation: str, *payload: Item, item_id: bytes | None = None) -> Item:
    return structure(
        "BatchItem",
        name("Operation", operation),
        *([] if item_id is None else [octets("UniqueBatchItemID", item_id)]),
        structure("RequestPayload", *payload),
    )


def message(*items: Item, header: Sequence[Item] = (), count: int | None = None) -> Item:
    """A RequestMessage of KMIP 2.1. count: what BatchCount claims; None: the truth."""
    has_version = any(item["tag"] == "ProtocolVersion" for item in header)
    return structure(
        "RequestMessage",
        structure(
            "RequestHeader",
            *([] if has_version else [version(2, 1)]),
            *header,
            number("BatchCount", len(items) if count is None else count),
        ),
        *items,
    )


def untyped(item: Item) -> Item:
    """The same in the other form of the OASIS dialect: structures without their type."""
    if item["type"] != "Structure":
        return item
    return {"tag": item["tag"], "value": [untyped(child) for child in item["value"]]}


# --- what comes back ----------------------------------------------------------------------------


class Fields:
    """The children of a structure, found by tag: ``response["Object", "KeyBlock"]``."""

    def __init__(self, item: Item) -> None:
        self.item = item

    def __getitem__(self, path: str | tuple[str, ...]) -> Any:
        value = self.item["value"]
        for tag in (path,) if isinstance(path, str) else path:
            children = [child for child in value if child["tag"] == tag]
            if len(children) != 1:
                raise KeyError(f"{len(children)} times {tag} in {self.item['tag']}")
            value = children[0]["value"]
        return value

    def get(self, *path: str) -> Any:
        try:
            return self[path]
        except KeyError:
            return None

    def octets(self, *path: str) -> bytes:
        return bytes.fromhex(self[path])

    @property
    def uid(self) -> str:
        return str(self["UniqueIdentifier"])

    def tags(self, *path: str) -> list[str] | None:
        """The user's tags in the attributes at the path; None where there is no tag attribute."""
        for item in Fields({"tag": "", "value": self[path]}).get("VendorAttributes") or []:
            attribute = Fields(item)
            identity = attribute["VendorIdentification"], attribute["AttributeName"]
            if identity == ("cosmian", "tag"):
                tags: list[str] = json.loads(attribute.octets("AttributeValue"))
                return tags
        return None


@dataclass(frozen=True)
class Sealed:
    """What Encrypt gave, as the fields that Decrypt takes."""

    uid: str
    data: bytes
    iv: bytes
    tag: bytes

    def items(self, **changes: bytes | None) -> list[Item]:
        """data, iv, tag and aad may be replaced; None leaves a field out."""
        fields: dict[str, bytes | None] = {"data": self.data, "iv": self.iv, "tag": self.tag}
        fields |= changes
        tags = {
            "data": "Data",
            "iv": "IvCounterNonce",
            "tag": "AuthenticatedEncryptionTag",
            "aad": "AuthenticatedEncryptionAdditionalData",
        }
        return [octets(tags[key], value) for key, value in fields.items() if value is not None]


class User:
    """A holder of a token, on one connection that stays open. Not for several threads at once."""

    def __init__(
        self, port: int, token: str | None, path: str = "/kmip_2_1", name: str = ""
    ) -> None:
        self.port = port
        self.name = name  # as the server calls this user
        self.token = token
        self.path = path
        self._connection: http.client.HTTPConnection | None = None

    def again(self, path: str | None = None) -> User:
        """The same user on another connection."""
        return User(self.port, self.token, path or self.path, self.name)

    def on(self, server: KMS) -> User:
        return User(server.port, self.token, self.path, self.name)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def __del__(self) -> None:
        self.close()

    def send(
        self, body: bytes | Item, *, content_type: str | None = "application/json"
    ) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.exchange("POST", self.path, data, content_type=content_type)
        if answer.status == 200:
            check_answer(answer.body)
            assert answer.headers["Content-Type"] == "application/json"
        return answer

    def exchange(
        self, method: str, path: str, data: bytes = b"", *, content_type: str | None = None
    ) -> Response:
        headers = {"Content-Type": content_type} if content_type else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        for attempt in (1, 2):
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                self._connection.request(method, path, body=data, headers=headers)
                response = self._connection.getresponse()
                answer = Response(response.status, response.headers, response.read())
            except (http.client.RemoteDisconnected, ConnectionError):
                self._connection.close()
                self._connection = None
                if attempt == 2:
                    raise
                continue
            break
        if answer.status == 422:
            check_failure(answer.body, answer.headers["Content-Type"])
        assert answer.status < 500, answer.text
        return answer

    def send_binary(self, body: bytes, content_type: str = "application/octet-stream") -> bytes:
        """The body of the answer to binary TTLV."""
        answer = self.exchange("POST", "/kmip", body, content_type=content_type)
        assert answer.status == 200, answer.text
        assert answer.headers["Content-Type"] == "application/octet-stream"
        return answer.body

    def do(self, operation: str, *items: Item) -> Fields:
        answer = self.send(structure(operation, *items))
        assert answer.status == 200, answer.text
        tree = json.loads(answer.body)
        assert tree["tag"] == f"{operation}Response"
        return Fields(tree)

    def refused(self, operation: str, *items: Item) -> str:
        """The line that says why."""
        answer = self.send(structure(operation, *items))
        assert answer.status == 422, (answer.status, answer.text)
        return answer.text

    def ask(
        self, *items: Item, header: Sequence[Item] = (), count: int | None = None
    ) -> list[Fields]:
        """The batch items of the answer to a RequestMessage."""
        return self.ask_message(message(*items, header=header, count=count))

    def ask_message(self, body: bytes | Item) -> list[Fields]:
        answer = self.send(body)
        assert answer.status == 200, answer.text
        tree = json.loads(answer.body)
        assert tree["tag"] == "ResponseMessage"
        return [Fields(item) for item in tree["value"][1:]]

    # --- access rights --------------------------------------------------------------------------

    def change_access(self, verb: str, body: bytes | Any) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.exchange("POST", f"/access/{verb}", data, content_type="application/json")

    def grant(
        self, identifier: str, user: User | str, *operations: str, verb: str = "grant"
    ) -> str:
        """The word of success."""
        body = {
            "unique_identifier": identifier,
            "user_id": user if isinstance(user, str) else user.name,
            "operation_types": list(operations),
        }
        answer = self.change_access(verb, body)
        assert answer.status == 200, answer.text
        return str(json.loads(answer.body)["success"])

    def withdraw(self, identifier: str, user: User | str, *operations: str) -> str:
        return self.grant(identifier, user, *operations, verb="revoke")

    def listed(self, path: str) -> Any:
        """``owned``, ``obtained`` or ``list/<identifier>``."""
        answer = self.exchange("GET", f"/access/{path}")
        assert answer.status == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.body)

    def grants_on(self, identifier: str) -> dict[str, list[str]]:
        grants = self.listed(f"list/{quote(identifier)}")
        return {grant["user_id"]: grant["operations"] for grant in grants}

    # --- operations in one line -----------------------------------------------------------------

    def create(
        self,
        *more: Item,
        bits: int | None = 256,
        algorithm: str = "AES",
        mask: int | None = None,
        tags: Sequence[str] = (),
    ) -> str:
        tag_attribute = [tagged(*tags)] if tags else []
        return self.do(
            "Create",
            name("ObjectType", "SymmetricKey"),
            attributes(*tag_attribute, *more, algorithm=algorithm, bits=bits, mask=mask),
        ).uid

    def import_key(
        self,
        identifier: str,
        key: bytes,
        *more: Item,
        replace: bool = False,
        algorithm: str = "AES",
    ) -> str:
        return self.do(
            "Import", *import_items(identifier, key, *more, replace=replace, algorithm=algorithm)
        ).uid

    def encrypt(self, identifier: str | Sequence[str], data: bytes, *more: Item) -> Sealed:
        response = self.do("Encrypt", uid(identifier), octets("Data", data), *more)
        return Sealed(
            response.uid,
            response.octets("Data"),
            response.octets("IvCounterNonce"),
            response.octets("AuthenticatedEncryptionTag"),
        )

    def decrypt(
        self, identifier: str | Sequence[str], sealed: Sealed, *more: Item, **changes: bytes | None
    ) -> bytes:
        return self.do("Decrypt", uid(identifier), *sealed.items(**changes), *more).octets("Data")

    def key_of(self, identifier: str | Sequence[str]) -> bytes:
        response = self.do("Get", uid(identifier))
        return response.octets("Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString")

    def revoke(self, identifier: str | Sequence[str], reason: Item | None = None) -> str:
        return self.do("Revoke", uid(identifier), reason or text("RevocationReason", "rotated")).uid

    def destroy(self, identifier: str | Sequence[str], *, remove: bool = False) -> str:
        more = [flag("Remove", True)] if remove else []
        return self.do("Destroy", uid(identifier), *more).uid

    def state_of(self, identifier: str) -> str:
        return str(self.do("GetAttributes", uid(identifier))["Attributes", "State"])

    def locate(self, *criteria: Item, more: Sequence[Item] = ()) -> tuple[int, list[str]]:
        """(how many objects there are, the identifiers of this page)."""
        attributes_item = [structure("Attributes", *criteria)] if criteria else []
        response = self.do("Locate", *attributes_item, *more)
        return response["LocatedItems"], [uid["value"] for uid in response["UniqueIdentifier"]]


def import_items(
    identifier: str, key: bytes, *more: Item, replace: bool = False, algorithm: str = "AES"
) -> list[Item]:
    return [
        uid(identifier),
        name("ObjectType", "SymmetricKey"),
        flag("ReplaceExisting", replace),
        attributes(*more, algorithm=algorithm),
        key_object(key, algorithm=algorithm),
    ]


# --- the server ---------------------------------------------------------------------------------


class KMS:
    """``with KMS(directory, issuer) as kms:``; `kms.log` is all that it logged, at level debug."""

    def __init__(
        self,
        directory: Path,
        *issuers: Issuer,
        options: Sequence[str] = (),
        namespace: str = "issuer",
    ) -> None:
        self.directory = directory
        self.issuers = issuers
        self.port = 0
        self._log_file = directory / f"log-{next(_numbers)}.txt"
        self._options = [*options]
        for issuer in issuers:
            self._options += ["--jwt-auth-provider", f"{issuer.uri},"]
        if len(issuers) > 1:
            self._options += ["--jwt-user-namespace", namespace]
        self._process: WarmProcess | None = None

    @property
    def log(self) -> str:
        return self._log_file.read_text("utf-8", "backslashreplace")

    @property
    def log_size(self) -> int:
        """In bytes, for `log_since`."""
        return self._log_file.stat().st_size

    def log_since(self, size: int) -> str:
        with self._log_file.open("rb") as file:
            file.seek(size)
            return file.read().decode("utf-8", "backslashreplace")

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def __enter__(self) -> Self:
        with self._log_file.open("wb") as log:
            argv = [
                "--port", "0", "--log-level", "debug", "--data-dir", str(self.data_dir),
                *self._options,
            ]  # fmt: skip
            self._process = warm_servers().start(argv, ROOT, output=log.fileno())
        deadline = time.monotonic() + 60
        start_up_line = re.compile(r'listening on http://127\.0\.0\.1:(\d+)["\n]')
        while (match := start_up_line.search(self.log)) is None:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)
        self.port = int(match[1])
        while not self._is_ready():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        if not any(exc):
            assert process.returncode == 0, self.log
            assert "Traceback" not in self.log, self.log

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def user(self, sub: str | None = None, *, issuer: int = 0, path: str = "/kmip_2_1") -> User:
        """Somebody with a good token; without a name, somebody who never was here before."""
        who = sub or f"user-{os.getpid()}-{next(_numbers)}"
        token_issuer = self.issuers[issuer]
        namespaced = len(self.issuers) > 1 and "issuer" in self._options[-1:]
        name = f"{token_issuer.uri}#{who}" if namespaced else who
        return User(self.port, token_issuer.token(sub=who), path, name)

    def nobody(self, path: str = "/kmip_2_1") -> User:
        return User(self.port, None, path)


@contextlib.contextmanager
def two_issuers() -> Iterator[tuple[Issuer, Issuer]]:
    with Issuer("ES256") as first, Issuer("ES256") as second:
        second.kid, second.key_name = "k2", "second"
        from .keys import jwk

        second.keys = [jwk("ES256", "k2", "second")]
        yield first, second


def spellings(secret: bytes) -> list[bytes]:
    """The ways in which bytes might leak: raw, hexadecimal, base64 at any offset."""
    all_spellings = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for offset in range(3):
        middle = base64.b64encode(b"\0" * offset + secret)[4 if offset else 0 : -4]
        all_spellings += [middle, middle.translate(bytes.maketrans(b"+/", b"-_"))]
    return all_spellings
