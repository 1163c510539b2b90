"""Tokens in the keyring of the system, by the package `keyring`.

keyring talks to a daemon over D-Bus without any timeout, and a locked keyring waits for a dialogue that
nobody sees on a machine without a screen. So each call is made on a thread of its own, which is given up on
after some seconds.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ... import strict_json
from .tokens import KeyringUnavailable, Tokens, format_tokens, parse_tokens

SERVICE = "kms_tornado"

#: Somebody who is asked for the keyring's password needs some seconds to type it.
TIMEOUT_S = 20.0

#: Backends that keep nothing: the user wants no keyring, or there is none.
NO_KEYRING = ("keyring.backends.fail", "keyring.backends.null")

_Result = TypeVar("_Result")


class KeyringTokenStore:
    """The tokens of one account as one secret in the system keyring.

    Every method raises KeyringUnavailable where no keyring works; after the first time, immediately.
    """

    place = "the system keyring"

    def __init__(self, account: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._account = account
        self._timeout_s = timeout_s
        self._is_unavailable = False
        self._backend: Any = None

    def load(self) -> Tokens | None:
        secret = self._call(lambda backend: backend.get_password(SERVICE, self._account))
        if secret is None:
            return None
        try:
            return parse_tokens(strict_json.loads(secret.encode(), max_depth=2))
        except ValueError:
            return None

    def save(self, tokens: Tokens) -> None:
        secret = json.dumps(format_tokens(tokens))
        self._call(lambda backend: backend.set_password(SERVICE, self._account, secret))

    def forget(self) -> None:
        def remove(backend: Any) -> None:
            if backend.get_password(SERVICE, self._account) is not None:
                backend.delete_password(SERVICE, self._account)

        self._call(remove)

    def _call(self, ask: Callable[[Any], _Result]) -> _Result:
        if self._is_unavailable:
            raise KeyringUnavailable
        try:
            return _run_within(lambda: ask(self._open_backend()), self._timeout_s)
        except KeyringUnavailable:
            self._is_unavailable = True
            raise

    def _open_backend(self) -> Any:
        if self._backend is None:
            self._backend = _choose_backend()
        return self._backend


def _run_within(action: Callable[[], _Result], timeout_s: float) -> _Result:
    """The result of the action. Raises KeyringUnavailable where it fails or takes too long."""
    results: list[_Result] = []

    def run() -> None:
        try:
            results.append(action())
        except Exception as exc:
            # Backends raise whatever the libraries below them raise. Its text may quote a secret.
            logging.getLogger(__name__).debug("the keyring failed: %s", type(exc).__name__)

    # A thread that waits for D-Bus cannot be stopped; as a daemon it does not keep the process.
    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not results:
        raise KeyringUnavailable
    return results[0]


def _choose_backend() -> Any:
    """The backend that the user configured, else the best one that keeps secrets from other users.

    Without a configuration keyring would also take one that asks for a password on the terminal, or that
    writes plain text: those rank below 1, and our own file is better.
    Raises KeyringUnavailable.
    """
    if _is_surely_absent():
        raise KeyringUnavailable
    from keyring import core

    core.init_backend(limit=core.recommended)
    backend = core.get_keyring()
    if type(backend).__module__ in NO_KEYRING:
        raise KeyringUnavailable
    return backend


def _is_surely_absent() -> bool:
    """Whether there is certainly no keyring: on Linux, keyrings are services on the session's D-Bus, unless configured.

    This check saves the third of a second that keyring takes to find that out.
    """
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND", "")
    if chosen.startswith(NO_KEYRING):
        return True
    if sys.platform != "linux" or chosen:
        return False
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    if (configuration / "python_keyring" / "keyringrc.cfg").exists():
        return False
    return not os.environ.get("DBUS_SESSION_BUS_ADDRESS")
