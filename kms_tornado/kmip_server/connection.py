"""KMIPConnection: one client's connection, from its handshake to its end.

A task of its own serves it. Messages are answered one after the other, in the order in which they came; while one
is worked on, nothing more is read, so a client that sends ahead fills its own buffers and not ours.

    frame of 8 bytes │ header │ who sends it, and may send so much? │ the rest, in pieces │ answer (`Message`)

What is no message, or one longer than the server takes, is answered at most once, and the connection closed: where
the next message would begin is not known. Whatever is wrong inside of a message is in its answer, and the
connection stays, unless much is left of one that is refused before it is read.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from ..auth.certificates import InvalidCertificate
from ..auth.principal import Principal
from ..service.loop_turns import BODY_PIECE
from ..transport.streams import TLSStream
from .context import KMIPContext
from .message import Message

log = logging.getLogger("kms_tornado.kmip")

#: Tag and type of a RequestMessage, which every message begins with, and of its header, which comes next. The length
#: of each follows (KMIP 2.1 §10).
_MESSAGE_START, _HEADER_START = b"\x42\x00\x78\x01", b"\x42\x00\x77\x01"
_FRAME_BYTES = 8

#: Bytes of a header that are read before it is known who sends it. The longest token has 16 KiB.
_MOST_OF_HEADER = 20 * 1024

#: Bytes of a refused message that are read and dropped, so that the next one is found.
_MOST_DROPPED = 64 * 1024

#: Connections of one user in a process. A rack of machines that share a certificate has fewer.
MOST_OF_USER = 256


class KMIPConnection:
    """remote_ip: the client's address, for log and audit."""

    def __init__(self, context: KMIPContext, stream: TLSStream, remote_ip: str) -> None:
        self.stream = stream
        self.remote_ip = remote_ip
        self.certificate: bytes | None = None
        #: Whom the certificate names; None without one, or where it names nobody.
        self.named: Principal | None = None
        #: Why the certificate names nobody.
        self.fault: InvalidCertificate | None = None
        self._context = context
        self._ends_soon = False

    def end_soon(self) -> None:
        """Close it, after the answer to a message that is being worked on."""
        self._ends_soon = True
        if not self.stream.is_busy:
            self.stream.close_notifying()

    async def serve(self) -> None:
        """Until the client leaves, or the server ends it. Raises nothing of the connection's."""
        try:
            await self.stream.wait_for_handshake()
        except OSError:  # of TLS as well; Tornado has logged it
            self._context.failed_handshakes += 1
            self.stream.close()
            return
        if self.stream.closed():  # in the same turn of the loop
            return
        try:
            _acknowledge(self.stream)
            if self._identify():
                while await self._serve_message():
                    pass
        except OSError:  # the client has left, or waited too long
            pass
        finally:
            self._forget()
            self.stream.close_notifying()

    def _identify(self) -> bool:
        """Read the client's certificate; False where its user has too many connections."""
        self.certificate = self.stream.peer_certificate
        if self.certificate is None:
            return True
        try:
            named = self._context.callers.read_certificate(self.certificate)
        except InvalidCertificate as exc:
            log.warning("%s: %s (%s)", self.remote_ip, exc, exc.detail)
            self.fault = exc
            return True
        connections_of = self._context.connections_of
        if connections_of[named.name] >= MOST_OF_USER:
            connections = self._context.in_flight.connections
            assert connections is not None
            connections.refuse("user", f"{named.name} has {MOST_OF_USER} connections open")
            return False
        connections_of[named.name] += 1
        self.named = named
        return True

    def _forget(self) -> None:
        if self.named is not None:
            connections_of = self._context.connections_of
            connections_of[self.named.name] -= 1
            if not connections_of[self.named.name]:
                del connections_of[self.named.name]

    async def _serve_message(self) -> bool:
        """Read a message, and answer it; whether another one may follow. Raises OSError where the client leaves."""
        frame = await self.stream.read_bytes(_FRAME_BYTES)
        length = int.from_bytes(frame[4:], "big")
        if frame[:4] != _MESSAGE_START or length % 8:
            self._context.broken_frames += 1
            log.debug("%s: what came is no RequestMessage", self.remote_ip)
            return False
        message = Message(self._context, self)
        self._context.in_flight.begin(message, self)
        try:
            answer = await self._answer(message, frame, length)
            await self.stream.write(answer)
        finally:
            self._context.end_message(message, self)
        return not (message.is_last or self._ends_soon or self._context.is_stopping)

    async def _answer(self, message: Message, frame: bytes, length: int) -> bytes:
        start = frame + await self._read_header(length)
        rest = _FRAME_BYTES + length - len(start)
        refusal = await message.admit(start, _FRAME_BYTES + length)
        if refusal is None:
            octets = start + await self._read_rest(rest, message.sender)
            await asyncio.sleep(0)  # a client that sends ahead would keep the loop to itself
            return await message.answer(octets)
        if rest > _MOST_DROPPED:
            message.is_last = True
        else:
            await self._read(rest)
        return message.refuse(start, refusal)

    async def _read_header(self, length: int) -> bytes:
        """What stands where the header is expected; no more than its own frame where that is none.

        A header that is too long is read in part and refused: it may name somebody else, which nobody would look at.
        length: of the message, without its frame.
        """
        frame = await self._read(min(length, _FRAME_BYTES))
        header_length = int.from_bytes(frame[4:], "big")
        if frame[:4] != _HEADER_START or header_length > length - _FRAME_BYTES:
            return frame
        return frame + await self._read(min(header_length, _MOST_OF_HEADER))

    async def _read_rest(self, length: int, sender: str) -> bytes:
        if length <= BODY_PIECE:
            return await self._read(length)
        body = bytearray()
        while len(body) < length:
            body += await self._read(min(BODY_PIECE, length - len(body)))
            await self._context.body_turns.wait(sender)
        return bytes(body)

    async def _read(self, length: int) -> bytes:
        return await self.stream.read_bytes(length) if length else b""


def _acknowledge(stream: TLSStream) -> None:
    """Acknowledge the end of the handshake now, and not with the answer, or after 40 ms.

    In a resumed handshake of TLS 1.2 the client speaks last, and many clients' systems send the message only when that
    is acknowledged (RFC 896).
    """
    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
