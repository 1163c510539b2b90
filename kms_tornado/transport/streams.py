"""The streams of a server's connections: Tornado's, and what a server must know of its clients.

- A client that has sent its request may close its sending side and wait for the answer (RFC 9112 §9.6).
  Tornado takes the end of its input for the end of the connection, and drops the answer.
- A head may drip in byte by byte. Tornado searches all of it for its end at each byte, a millisecond for 60 kB:
  one client could keep the loop busy. Here each byte is searched once. And a head has a bounded number of
  lines, of which Tornado makes an object each.
- An answer of megabytes is encrypted and sent in one call, while the other connections wait. Here each stream
  sends one piece of it in a turn of the loop.
- `Connections` counts the streams, and closes those that wait too long; so a stream knows since when it
  has been quiet, and whether its reader makes progress.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.iostream import IOStream, SSLIOStream, UnsatisfiableReadError

#: Of the head of a request, which has at most 64 KiB. 13,000 empty fields take 20 ms to parse.
MAX_HEAD_LINES = 500

#: Bytes that a stream sends in one turn of the event loop: some 0.2 ms over TLS, and the other streams send, too.
_PIECE = 128 * 1024

#: Bytes of one record of TLS at most (RFC 8446 §5.1), which is what one read gives. For each read Tornado makes a buffer
#: of as many bytes as might come, and fills it with zeros.
_RECORD = 16 * 1024

_BLANK_LINE = 4  # bytes, at most, by which a head ends

# Tornado's pattern of the end of a head, and one that ends at the same place. What begins with a certain byte is looked for
# as fast as memory is read, and Tornado's in ten times of that: a head with a token has a thousand bytes.
_END_OF_HEAD, _SAME_END = b"\r?\n\r?\n", b"\n\r?\n"

_KERNEL_MARGIN_S = 5.0

_INT = struct.Struct("i")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: what was not sent is dropped


def limit_sending(connection: socket.socket, send_timeout_s: float) -> None:
    """End the connection where its client takes nothing of what the kernel has yet to send.

    A while after `Connections` would, which counts and logs; it is for connections that are closed already.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(
            socket.IPPROTO_TCP,
            socket.TCP_USER_TIMEOUT,
            int(1000 * (send_timeout_s + _KERNEL_MARGIN_S)),
        )


class ServedStream(IOStream):
    """One connection, from its acceptance to its end.

    client: whom it counts for, see `Connections`; None where it counts for nobody.
    is_busy: whether a request has begun whose answer is not sent yet. changed_at: when that changed last,
    by the monotonic clock. has_asked: whether a whole head ever came. waiting: what `Connections` saw it
    wait for last, and since when. takes_body: whether anything is done with the body of its request.
    is_dropping: whether the request was answered, and what still comes is the rest of its body.
    """

    def __init__(
        self,
        *args: Any,
        client: str | None,
        on_close: Callable[[ServedStream], None],
        **options: Any,
    ) -> None:
        self.client = client
        self.is_busy = self.has_asked = self.takes_body = self.is_dropping = False
        self.changed_at = time.monotonic()
        self.waiting: tuple[object, float] = (None, 0.0)
        self._on_close = on_close
        self._has_input_ended = self._has_sent_piece = False
        self._searched = self._lines = self._least = 0
        super().__init__(*args, **options)

    @property
    def is_shaking_hands(self) -> bool:
        """Whether its TLS handshake is not over."""
        return False

    @property
    def unread(self) -> int:
        """How many bytes have come that are no whole head yet."""
        return self._read_buffer_size

    @property
    def has_more(self) -> bool:
        """Whether more has come than was read, of which the loop may not know."""
        return self.unread > 0 or self._holds_more()

    @property
    def sent(self) -> tuple[int, int]:
        """What changes whenever the reader takes something: bytes the kernel has taken, and has yet to send.

        The kernel takes megabytes at a time. Of those alone, a reader of 10 kB/s would seem to stand still
        for minutes.
        """
        return self._total_write_done_index, self._count_in_kernel()

    def _count_in_kernel(self) -> int:
        """Bytes that the client has not acknowledged; 0 where the system does not tell."""
        count = 0
        with contextlib.suppress(OSError):
            (count,) = _INT.unpack(fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))
        return count

    def read_available(self, least: int) -> Awaitable[bytes]:
        """All that has come, once that is at least so many bytes: one read for what is usually a whole request."""
        self._least = least
        return self.read_bytes(self.max_buffer_size, partial=True)

    def put_back(self, octets: bytes) -> None:
        """The next read begins with these, which the last one gave."""
        self._read_buffer[:0] = octets
        self._read_buffer_size += len(octets)

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Only heads are read this way."""
        self._searched = self._lines = 0
        return super().read_until_regex(_SAME_END if regex == _END_OF_HEAD else regex, max_bytes)

    def _try_inline_read(self) -> None:
        """As Tornado's, but what has not come yet is not looked for: the loop tells.

        Tornado tries to read first. After an answer there is nothing yet, and to find that out takes a tenth of a
        request over TLS.
        """
        position = self._find_read_pos()
        if position is not None:
            self._read_from_buffer(position)
        elif self._holds_more():
            super()._try_inline_read()
        else:
            self._check_closed()
            self._add_io_state(self.io_loop.READ)

    def _holds_more(self) -> bool:
        """Whether there is more to be read of which the loop does not know.

        The end of the input, too: over TLS it comes before that of the connection, which may not come.
        """
        return self._has_input_ended

    def _find_read_pos(self) -> int | None:
        """As Tornado's, but what was searched for the end of a head is not searched again."""
        if self._read_regex is None:
            if self._read_partial and self._read_buffer_size < self._least:
                return None
            return super()._find_read_pos()
        match = self._read_regex.search(self._read_buffer, max(0, self._searched - _BLANK_LINE + 1))
        end = self._read_buffer_size if match is None else match.end()
        self._lines += self._read_buffer.count(b"\n", self._searched, end)
        self._searched = end
        self._check_max_bytes(self._read_regex, end)
        if self._lines > MAX_HEAD_LINES:
            raise UnsatisfiableReadError(f"the head has more than {MAX_HEAD_LINES} lines")
        return None if match is None else end

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """As Tornado's, but an end of the input that comes when nobody reads is kept for the next read."""
        count = super().read_from_fd(buf)
        if count == 0 and not self.reading():
            self._has_input_ended = True
            return None
        return count

    def write(self, data: bytes | memoryview) -> Future[None]:
        """As Tornado's, but a request has one answer, also where the rest of its body turns out to be malformed.

        Tornado would send a 400 behind the answer, which a proxy may take for the answer to its next request.
        """
        if self.is_dropping:
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        return super().write(data)

    def _handle_write(self) -> None:
        """Called where there is something to send, and once in each turn of the loop in which it can be sent."""
        self._has_sent_piece = False
        super()._handle_write()

    def write_to_fd(self, data: memoryview) -> int:
        """As Tornado's, which calls it until it returns 0; that a piece was sent reads as if no more could be."""
        if self._has_sent_piece:
            return 0
        self._has_sent_piece = len(data) > _PIECE
        return super().write_to_fd(data[:_PIECE])

    def _handle_events(self, fd: Any, events: int) -> None:
        super()._handle_events(fd, events)
        if self._has_input_ended and self._state is not None and not self.closed():
            # The end is readable for ever: the loop would report it again and again.
            self._state &= ~self.io_loop.READ
            self.io_loop.update_handler(self.fileno(), self._state)

    def close_fd(self) -> None:
        super().close_fd()
        self._on_close(self)

    def abort(self) -> None:
        """Close it, and have the kernel forget at once what was not sent."""
        if not self.closed():
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close()


class TLSStream(ServedStream, SSLIOStream):
    """A connection over TLS."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, read_chunk_size=_RECORD, **options)
        self._handshake_reading = True

    def _add_io_state(self, state: int) -> None:
        """As Tornado's, but the handshake begins with what the client sends, and is not tried before.

        Tornado waits until it may write, which is at once; then the loop is told anew to wait for the client.
        """
        super()._add_io_state(self.io_loop.READ if self._ssl_accepting else state)

    def _holds_more(self) -> bool:
        return super()._holds_more() or (not self.closed() and self.socket.pending() > 0)

    @property
    def is_shaking_hands(self) -> bool:
        return self._ssl_accepting

    @property
    def peer_certificate(self) -> bytes | None:
        """The client's, in DER, once the handshake is over; None where it sent none."""
        certificate: bytes | None = self.socket.getpeercert(binary_form=True)
        return certificate

    def close_notifying(self) -> None:
        """Close it with TLS's own message (RFC 8446 §6.1), without which clients take an end for an attack.

        And OpenSSL would forget the session of TLS 1.2, which could not be resumed.
        """
        if not self.closed() and not self._ssl_accepting:
            with contextlib.suppress(OSError, ValueError):  # it waits for nobody's answer
                self.socket.unwrap()
        self.close()
