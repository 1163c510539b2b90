"""KeptKeys: one issuer's last good key set in a file, for a start at which the issuer does not answer.

    the code of all that follows, in hexadecimal, and a line feed
    {"issuer": …, "jwks_uri": …, "fetched_at": …}, and a line feed
    the document as it was fetched, without the secrets that an issuer may have left in it

The code is made with a key that stays in the server, so a file that something else wrote is noticed. A file
that is put back as it was some time ago is not; its age bounds what that is good for.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import KeySetError
from ..regular_file import read_regular_file
from .issuer import TrustedIssuer
from .key_source import MAX_DOCUMENT_BYTES
from .keyset import KeySet, parse_document, remove_secrets

log = logging.getLogger("kms_tornado.keys")

_MAX_FILE_BYTES = MAX_DOCUMENT_BYTES + 64 * 1024
_LONGEST_LOCK_S = 2.0  # to write takes milliseconds
_LOCK_POLL_S = 0.01


class _NotUsable(Exception):
    """A file is there and is not to be used; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class _Kept:
    issuer: str
    jwks_uri: str | None
    fetched_at: float
    document: bytes


class KeptKeys:
    """The file of one issuer. Several processes may share it: the keys that were fetched last stay.

    directory: the directory of the file; it is made if it is missing.
    authenticate: computes the MAC of a message with a key of the server.
    now: gives the time in seconds since the Unix epoch.
    """

    def __init__(
        self,
        directory: Path,
        authenticate: Callable[[bytes], bytes],
        issuer: TrustedIssuer,
        *,
        max_age_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        name = hashlib.sha256(issuer.uri.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self.file = directory / f"{name}.keys"
        self._authenticate = authenticate
        self._issuer = issuer
        self._max_age_s = max_age_s
        self._now = now
        self._problem: str | None = None  # of the last `keep`

    def load(self) -> tuple[KeySet, float] | None:
        """(the keys, their age in seconds); None where there is no file, or one that must not be used.

        A warning in the log says why a file is not used.
        """
        try:
            stored = self._read()
            age_s = self._check(stored)
            key_set = parse_document(stored.document)
            if not isinstance(key_set, KeySet):
                raise _NotUsable("it holds no key set")
        except FileNotFoundError:
            return None
        except (_NotUsable, KeySetError, OSError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            log.warning(
                "issuer %s: the keys that were kept in %s are not used: %s",
                self._issuer.uri, self.file, why,
            )  # fmt: skip
            return None
        return key_set, age_s

    async def keep(
        self, document: bytes, key_set: KeySet, fetched_at: float, *, timeout_s: float
    ) -> None:
        """Run `save` on a thread. A failure raises nothing; it is logged once until saving works again."""
        problem = None
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.to_thread(self.save, document, key_set, fetched_at)
        except TimeoutError:
            problem = "writing takes too long"
        except OSError as exc:
            problem = exc.strerror or type(exc).__name__
        except KeySetError as exc:
            problem = str(exc)
        if problem is not None and self._problem is None:
            log.warning(
                "issuer %s: its keys cannot be kept for a restart in %s: %s; they serve all the same",
                self._issuer.uri, self.file, problem,
            )  # fmt: skip
        elif problem is None and self._problem is not None:
            log.warning("issuer %s: its keys are kept for a restart again", self._issuer.uri)
        self._problem = problem

    def save(self, document: bytes, key_set: KeySet, fetched_at: float) -> None:
        """Replace the file, unless another process has kept keys that were fetched later.

        Whenever the process ends, the whole file is there, either the old or the new one. If it cannot be replaced
        and has other keys, it is removed, since it may hold a key that the issuer has withdrawn.
        Raises OSError, and KeySetError where the document cannot be kept without the secrets in it.
        """
        try:
            self._replace(document, key_set, fetched_at)
        except (OSError, KeySetError):
            if not self._is_as_good(key_set, fetched_at):
                with contextlib.suppress(OSError):  # a full disk lets one remove a file
                    self.file.unlink()
            raise

    def _replace(self, document: bytes, key_set: KeySet, fetched_at: float) -> None:
        public = remove_secrets(document)
        if public != document and not _has_same_keys(public, key_set):
            raise KeySetError("it cannot be written without the secrets that are in it")
        header = {
            "issuer": self._issuer.uri,
            "jwks_uri": self._issuer.jwks_uri,
            "fetched_at": fetched_at,
        }
        message = json.dumps(header).encode("ascii") + b"\n" + public
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        with self._locking():
            previous = self._find_valid()
            if previous is None or previous.fetched_at <= fetched_at:
                self._write(self._authenticate(message).hex().encode("ascii") + b"\n" + message)

    def _is_as_good(self, key_set: KeySet, fetched_at: float) -> bool:
        """Whether the file holds the same keys, or some that were fetched later."""
        stored = self._find_valid()
        return stored is not None and (
            stored.fetched_at > fetched_at or _has_same_keys(stored.document, key_set)
        )

    def _find_valid(self) -> _Kept | None:
        """The contents of the file, if `load` would use them."""
        try:
            stored = self._read()
            self._check(stored)
        except (_NotUsable, OSError):
            return None
        return stored

    def _read(self) -> _Kept:
        """Raises _NotUsable for a file that this server did not write, OSError for one that cannot be read."""
        content = read_regular_file(str(self.file), _MAX_FILE_BYTES)
        code, _, message = content.partition(b"\n")
        if not hmac.compare_digest(code, self._authenticate(message).hex().encode("ascii")):
            raise _NotUsable(
                "its code does not match: the file was edited or cut off, or written under another master key"
            )
        header, _, document = message.partition(b"\n")
        return _Kept(**json.loads(header), document=document)

    def _check(self, stored: _Kept) -> float:
        """The age of the keys in seconds.

        Raises _NotUsable where they are another issuer's, too old, or from the future.
        """
        if stored.issuer != self._issuer.uri:
            raise _NotUsable("they are another issuer's")
        if stored.jwks_uri != self._issuer.jwks_uri:
            raise _NotUsable("they were fetched from another key set URI than the configured one")
        age_s = self._now() - stored.fetched_at
        if age_s < 0:
            raise _NotUsable(
                "by the clock of this host they were fetched in the future, so their age is unknown"
            )
        if age_s > self._max_age_s:
            raise _NotUsable(
                f"they were fetched {age_s:.0f} s ago, and the maximum staleness is {self._max_age_s:g} s"
            )
        return age_s

    @contextlib.contextmanager
    def _locking(self) -> Iterator[None]:
        """Let only one process at a time compare and replace the file.

        Raises OSError where another one takes too long.
        """
        lock = os.open(
            self.file.with_suffix(".lock"),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )
        try:
            _wait_for_lock(lock)
            yield
        finally:
            os.close(lock)

    def _write(self, content: bytes) -> None:
        draft = self.file.with_suffix(".draft")  # one name, so that killed processes leave one file
        draft.unlink(missing_ok=True)  # and not written into: it may be a pipe or a link
        try:
            descriptor = os.open(
                draft,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC,
                0o600,
            )
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(draft, self.file)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        directory = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _wait_for_lock(descriptor: int) -> None:
    """Wait for the lock, but not for ever.

    A suspended process keeps its lock, and stopping the server waits for this thread.
    """
    deadline = time.monotonic() + _LONGEST_LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() >= deadline:
                raise OSError(exc.errno, "another process holds its lock") from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _has_same_keys(document: bytes, key_set: KeySet) -> bool:
    try:
        parsed = parse_document(document)
    except KeySetError:
        return False
    return isinstance(parsed, KeySet) and parsed.fingerprint == key_set.fingerprint
