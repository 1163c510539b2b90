"""Answers of limited length and speed: a server that an attacker has taken over must not fill the client's memory.

This works below urllib3, which reads the whole body of an answer, even of one that leads to another try.
"""

from __future__ import annotations

import http.client
import time

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

#: The longest body. A server is asked for 64 MiB at most, and hexadecimal digits double them.
MAX_ANSWER_BYTES = 256 * 1024 * 1024

#: After its first minute, a body must come at least this fast. One byte now and then would never end.
SLOWEST_BYTES_PER_S = 16 * 1024
PATIENCE_S = 60.0

_PIECE_BYTES = 256 * 1024


class AnswerTooLong(HTTPError):
    """The body is too long, or comes too slowly. The request is not repeated: the next answer would be no better."""


class _Answer(http.client.HTTPResponse):
    def read(self, amt: int | None = None) -> bytes:
        """As much as was asked for. A request for everything is read in pieces, and given up if there is no end."""
        if amt is not None:
            return super().read(amt)
        begun, body = time.monotonic(), bytearray()
        while piece := self.read1(_PIECE_BYTES):
            body += piece
            allowed_s = PATIENCE_S + len(body) / SLOWEST_BYTES_PER_S
            if len(body) > MAX_ANSWER_BYTES or time.monotonic() - begun > allowed_s:
                self.close()
                raise AnswerTooLong
        if self.length:  # closed before all of it was there
            raise http.client.IncompleteRead(bytes(body), self.length)
        super().read()  # nothing, and the connection is free for the next request
        return bytes(body)


class _Connection(HTTPConnection):
    response_class = _Answer


class _TLSConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def bound_answers(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same manager, whose connections give limited answers. To be called before the first connection is made."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager
