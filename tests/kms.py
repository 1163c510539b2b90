"""A key server in a process of its own, and users who speak KMIP to it through real sockets.

No answer reaches a test unchecked: `operations.rules` holds what published clients can read.
"""

from __future__ import annotations

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
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from .issuer import Issuer
from .kmip_items import (
    Fields,
    Item,
    Sealed,
    attributes,
    flag,
    import_items,
    message,
    name,
    octets,
    structure,
    tagged,
    text,
    uid,
)
from .operations.rules import check_answer, check_failure
from .server import warm_servers
from .support import Response
from .warm import WarmProcess

ROOT = Path(__file__).parents[1]

_numbers = itertools.count(1)


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
