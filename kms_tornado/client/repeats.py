"""Repeats: which failed tries are followed by another one, and after which pause."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

#: The most tries of one request. The pauses between them are 0, 0.4, 0.8 and 1.6 s plus a random part: a restart
#: takes about a second, and clients that lost a server should not all come back at once.
MAX_REPEATS = 4
BACKOFF_S = 0.2
JITTER_S = 0.2

#: The most tries for a connection that cannot be made. Nothing was sent, so every request may be tried again; but a
#: user who has mistyped a URL does not want to wait.
MAX_CONNECTION_REPEATS = 2

#: A longer Retry-After is cut to this, so that a request ends some time.
MAX_RETRY_AFTER_S = 30


class _Repeats(Retry):
    """urllib3's rules, with three exceptions."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether to try again. 429 says that nothing was done (RFC 6585 §4), so any request may be repeated."""
        return status_code == 429 or super().is_retry(method, status_code, has_retry_after)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Count a try.

        After a wait of the whole timeout there is no other: a server that is too busy is not asked again.
        """
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def parse_retry_after(self, retry_after: str) -> float:
        """Seconds; 0 for an unreadable value, for which urllib3 would give up. Dates are not expected."""
        value = retry_after.strip()
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            return 0
        return min(int(value), MAX_RETRY_AFTER_S)


def send_until_answered(
    send: Callable[[], BaseHTTPResponse], *, method: str, is_repeatable: bool
) -> tuple[BaseHTTPResponse, bool]:
    """The answer, whatever its status is, and whether it belongs to a repeated request.

    send: makes one try, which urllib3 does not repeat, since each try may have to carry something new. Raises HTTPError
    where no try is left.
    """
    rules = _make_rules(is_repeatable)
    while True:
        try:
            answer = send()
        except HTTPError as exc:
            rules = rules.increment(method, error=exc)
            rules.sleep()
            continue
        if not rules.is_retry(method, answer.status, "Retry-After" in answer.headers):
            break
        try:
            rules = rules.increment(method, response=answer)
        except MaxRetryError:
            break
        rules.sleep(answer)
    return answer, bool(rules.history)


def _make_rules(is_repeatable: bool) -> Retry:
    """The rules for one request."""
    return _Repeats(
        total=MAX_REPEATS,
        connect=MAX_CONNECTION_REPEATS,
        other=0,  # a certificate that is not trusted will not be
        redirect=0,
        # urllib3 decides by the method whether a request may be repeated; here each request says so itself. None
        # allows every method, and so does an empty set.
        allowed_methods=None if is_repeatable else frozenset({"none"}),
        status_forcelist=(429, 503),
        backoff_factor=BACKOFF_S,
        backoff_jitter=JITTER_S,
    )
