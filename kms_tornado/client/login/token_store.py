"""Where tokens are kept between two commands: the system keyring where one works, else a file.

Only one place holds the tokens of an account: what is written to one is removed from the other. The file is
asked first, because that costs nothing, and because it holds tokens only where no keyring worked.

A refresh token that rotates is lost when two processes use it at once, so whoever refreshes does it under
the lock, and reads again first::

    with store.locked():
        tokens = store.load()           # perhaps another process was faster
        ...
        store.save(renewed_tokens)
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from pathlib import Path

from ..private_files import user_directory
from .token_file import FileTokenStore
from .token_keyring import KeyringTokenStore
from .tokens import KeyringUnavailable, Tokens, TokenStore


def open_token_store(account: str, *, directory: Path | None = None) -> TokenStore:
    """The store of an account, see `token_account`.

    directory: for the file and the lock; ~/.kms_tornado unless given.
    """
    home = directory or user_directory()
    return LayeredTokenStore(FileTokenStore(account, home), KeyringTokenStore(account))


class LayeredTokenStore:
    """A keyring and a file. The file is written to only if the keyring does not work, but is read first."""

    def __init__(self, file: FileTokenStore, keyring: KeyringTokenStore) -> None:
        self._file = file
        self._keyring = keyring
        self._place = file.place

    @property
    def place(self) -> str:
        return self._place

    def load(self) -> Tokens | None:
        tokens = self._file.load()
        if tokens is not None:
            self._place = self._file.place
            return tokens
        try:
            tokens = self._keyring.load()
        except KeyringUnavailable:
            return None
        self._place = self._keyring.place
        return tokens

    def save(self, tokens: Tokens) -> None:
        with self.locked():
            try:
                self._keyring.save(tokens)
            except KeyringUnavailable:
                self._file.save(tokens)
                self._place = self._file.place
            else:
                self._file.forget()
                self._place = self._keyring.place

    def forget(self) -> None:
        with suppress(KeyringUnavailable):
            self._keyring.forget()
        self._file.forget()

    def locked(self) -> AbstractContextManager[None]:
        return self._file.locked()
