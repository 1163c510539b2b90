"""The streams of a server's connections: Tornado's, changed where a server has to know more about its clients.

- A client that has sent its request may close its sending side and wait for the answer (RFC 9112 §9.6). Tornado treats
  the end of its input as the end of the connection, and discards the answer.
- A head may arrive byte by byte. Tornado searches all of it for its end after each byte, which takes a millisecond for
  60 kB: one client could keep the loop busy. Here each byte is searched once. And a head has a limited number of lines,
  for each of which Tornado makes an object.
- Tornado encrypts and sends an answer of megabytes in one call, while the other connections wait. Here each stream
  sends one piece of it in a turn of the loop.
- `Connections` counts the streams, and closes those that wait too long. So a stream knows since when it has been quiet,
  and whether its reader makes progress.
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

#: The most lines in the head of a request, which has at most 64 KiB. 13,000 empty fields take 20 ms to parse.
MAX_HEAD_LINES = 500

#: The most bytes that a stream sends in one turn of the event loop: some 0.2 ms over TLS, and the other streams send,
#: too.
_PIECE = 128 * 1024

#: The largest record of TLS, in bytes (RFC 8446 §5.1), which is what one read returns. For each read, Tornado makes a
#: buffer of as many bytes as might come, and fills it with zeros.
_RECORD = 16 * 1024

_BLANK_LINE = 4  # bytes, at most, by which a head ends

# Tornado's pattern of the end of a head, and one that ends at the same place. What begins with a certain byte is looked for
# as fast as memory is read, and Tornado's in ten times of that: a head with a token has a thousand bytes.
_END_OF_HEAD, _SAME_END = b"\r?\n\r?\n", b"\n\r?\n"

_KERNEL_MARGIN_S = 5.0

_INT = struct.Struct("i")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: what was not sent is dropped


def prepare_socket(connection: socket.socket, send_timeout_s: float) -> None:
    """Have the kernel send without delay, and end the connection if its client accepts nothing of what it has to send.

    Answers are sent whole; to wait for more of one, which never comes, would take 40 ms. The end happens somewhat later
    than `Connections` would do it, which also counts and logs; it is for connections that are already closed here.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(
            socket.IPPROTO_TCP,
            socket.TCP_USER_TIMEOUT,
            int(1000 * (send_timeout_s + _KERNEL_MARGIN_S)),
        )


class ServedStream(IOStream):
    """One connection, from its acceptance to its end.

    client: the client for whom it counts, see `Connections`; None where it counts for nobody.
    is_busy: whether a request has begun whose answer is not sent yet.
    changed_at: when is_busy last changed, by the monotonic clock.
    has_asked: whether a complete head ever arrived.
    waiting: what `Connections` last saw it wait for, and since when.
    takes_body: whether the body of its request is used at all.
    is_dropping: whether the request was answered, and only the rest of its body still arrives.
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
        self._has_input_ended = self._has_sent_piece = self._has_just_read = False
        self._searched = self._lines = self._least = 0
        super().__init__(*args, **options)

    @property
    def is_shaking_hands(self) -> bool:
        """Whether its TLS handshake has not ended yet."""
        return False

    @property
    def unread(self) -> int:
        """How many bytes have arrived that are not a complete head yet."""
        return self._read_buffer_size

    @property
    def has_more(self) -> bool:
        """Whether more has arrived than was read, which the loop may not know."""
        return self.unread > 0 or self._holds_more()

    @property
    def sent(self) -> tuple[int, int]:
        """(bytes that the kernel has taken, bytes that it has yet to send), which change whenever the reader takes
        data.

        The kernel takes megabytes at a time. By the first number alone, a reader of 10 kB/s would seem to make no
        progress for minutes.
        """
        return self._total_write_done_index, self._count_in_kernel()

    def _count_in_kernel(self) -> int:
        """The bytes that the client has not acknowledged; 0 where the system does not tell."""
        count = 0
        with contextlib.suppress(OSError):
            (count,) = _INT.unpack(fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))
        return count

    def read_available(self, least: int) -> Awaitable[bytes]:
        """Everything that has arrived, once that is at least this many bytes.

        One read usually gets a complete request.
        """
        self._least = least
        return self.read_bytes(self.max_buffer_size, partial=True)

    def put_back(self, octets: bytes) -> None:
        """Begin the next read with these octets, which the last one returned."""
        self._read_buffer[:0] = octets
        self._read_buffer_size += len(octets)

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Only heads are read this way."""
        self._searched = self._lines = 0
        return super().read_until_regex(_SAME_END if regex == _END_OF_HEAD else regex, max_bytes)

    def _try_inline_read(self) -> None:
        """As Tornado's, except that nothing is read that has not arrived yet: the loop reports it.

        Tornado first tries to read. After an answer nothing has arrived yet, and finding that out takes a tenth of the
        time of a request over TLS.
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
        """Whether there is more to read that the loop does not know about.

        This includes the end of the input: over TLS it comes before the end of the connection, which may never come.
        """
        return self._has_input_ended

    def _find_read_pos(self) -> int | None:
        """As Tornado's, except that bytes that were already searched for the end of a head are not searched again."""
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
        """As Tornado's, except that an end of the input that arrives while nobody reads is kept for the next read."""
        count = super().read_from_fd(buf)
        if count == 0 and not self.reading():
            self._has_input_ended = True
            return None
        return count

    def set_nodelay(self, value: bool) -> None:
        """Do nothing: `prepare_socket` has done it. Tornado would turn it on and off again with each answer."""

    def write(self, data: bytes | memoryview) -> Future[None]:
        """As Tornado's, except that a request has only one answer, even if the rest of its body is malformed.

        Tornado would send a 400 after the answer, which a proxy may take for the answer to its next request.
        """
        if self.is_dropping:
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        return super().write(data)

    def _handle_write(self) -> None:
        """Send a piece.

        Called when there is something to send, and then once in each turn of the loop in which it can be sent.
        """
        self._has_sent_piece = False
        super()._handle_write()

    def write_to_fd(self, data: memoryview) -> int:
        """As Tornado's, which calls it until it returns 0. After one piece, it reports that no more can be sent now."""
        if self._has_sent_piece:
            return 0
        self._has_sent_piece = len(data) > _PIECE
        return super().write_to_fd(data[:_PIECE])

    def reading(self) -> bool:
        """Whether somebody reads, or something was read in the event that is being handled."""
        return self._has_just_read or super().reading()

    def _handle_read(self) -> None:
        if not self.reading():
            self._read_max_bytes = None  # of the last head; Tornado would look for as much again
        super()._handle_read()
        self._has_just_read = not self.is_shaking_hands

    def _handle_events(self, fd: Any, events: int) -> None:
        """As Tornado's, except that the loop goes on listening while not all is used that was read.

        Most requests come in one piece. When its head has been read, Tornado has the loop stop to listen, and listen
        again as soon as the body is read, too: that makes seven system calls of each request. Here it stops only when
        more has come before that.
        """
        if events & self.io_loop.READ and self._read_buffer_size and not self.reading():
            self._stop_listening()
            events &= ~self.io_loop.READ
        super()._handle_events(fd, events)
        self._has_just_read = False
        if self._has_input_ended:
            self._stop_listening()  # the end is readable for ever: the loop would report it again and again

    def _stop_listening(self) -> None:
        if self._state is not None and not self.closed():
            self._state &= ~self.io_loop.READ
            self.io_loop.update_handler(self.fileno(), self._state)

    def close_fd(self) -> None:
        super().close_fd()
        self._on_close(self)

    def abort(self) -> None:
        """Close the connection, and have the kernel discard immediately what was not sent."""
        if not self.closed():
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close()


class TLSStream(ServedStream, SSLIOStream):
    """A connection over TLS."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, read_chunk_size=_RECORD, **options)
        self._handshake_reading = True

    def _add_io_state(self, state: int) -> None:
        """As Tornado's, except that the handshake begins when the client has sent something, and is not tried before.

        Tornado waits until it may write, which is possible immediately; the loop would then have to be told again to
        wait for the client.
        """
        super()._add_io_state(self.io_loop.READ if self._ssl_accepting else state)

    def _holds_more(self) -> bool:
        return super()._holds_more() or (not self.closed() and self.socket.pending() > 0)

    @property
    def is_shaking_hands(self) -> bool:
        return self._ssl_accepting

    @property
    def peer_certificate(self) -> bytes | None:
        """The client's certificate in DER, once the handshake is over; None where it sent none."""
        certificate: bytes | None = self.socket.getpeercert(binary_form=True)
        return certificate

    def close_notifying(self) -> None:
        """Close the connection with TLS's own message (RFC 8446 §6.1). Without it, clients take the end for an attack.

        OpenSSL would also forget the session of TLS 1.2, which could then not be resumed.
        """
        if not self.closed() and not self._ssl_accepting:
            with contextlib.suppress(OSError, ValueError):  # it waits for nobody's answer
                self.socket.unwrap()
        self.close()
