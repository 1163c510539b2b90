"""KMIPConnection: one client's connection, from its handshake to its end.

A task of its own serves it. Messages are answered one after the other, in the order in which they came; while one
is worked on, nothing more is read, so a client that sends ahead fills its own buffers and not ours.

    frame of 8 bytes │ header │ who sends it, and may send so much? │ the rest, in pieces │ answer (`Message`)

What is no message, or one longer than the server takes, is answered at most once, and the connection closed: where
the next message would begin is not known. Whatever is wrong inside of a message is in its answer, and the
connection stays, unless much is left of one that is refused before it is read.
"""

from __future__ import annotations

import logging
import socket

from ..auth.certificates import InvalidCertificate
from ..service.load.loop_turns import BODY_PIECE
from ..transport.streams import TLSStream
from .callers import Peer
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

#: The most connections of one user in a process. A rack of machines that share a certificate has fewer.
MOST_OF_USER = 256


class KMIPConnection:
    """One client's connection. remote_ip: the client's address, for log and audit."""

    def __init__(self, context: KMIPContext, stream: TLSStream, remote_ip: str) -> None:
        self.stream = stream
        self._peer = Peer(remote_ip)
        self._context = context
        self._ends_soon = False

    def end_soon(self) -> None:
        """Close the connection after the answer to the message that is being worked on."""
        self._ends_soon = True
        if not self.stream.is_busy:
            self.stream.close_notifying()

    async def serve(self) -> None:
        """Serve until the client leaves, or the server ends the connection. Its errors are not raised."""
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
        peer = self._peer
        peer.certificate = self.stream.peer_certificate
        if peer.certificate is None:
            return True
        try:
            holder = self._context.callers.read_certificate(peer.certificate)
        except InvalidCertificate as exc:
            log.warning("%s: %s (%s)", peer.remote_ip, exc, exc.detail)
            peer.fault = exc
            return True
        connections_of = self._context.connections_of
        if connections_of[holder.name] >= MOST_OF_USER:
            connections = self._context.in_flight.connections
            assert connections is not None
            connections.refuse("user", f"{holder.name} has {MOST_OF_USER} connections open")
            return False
        connections_of[holder.name] += 1
        peer.holder = holder
        return True

    def _forget(self) -> None:
        holder = self._peer.holder
        if holder is not None:
            connections_of = self._context.connections_of
            connections_of[holder.name] -= 1
            if not connections_of[holder.name]:
                del connections_of[holder.name]

    async def _serve_message(self) -> bool:
        """Read a message, and answer it; whether another one may follow. Raises OSError where the client leaves."""
        octets = await self.stream.read_available(_FRAME_BYTES)
        size = _FRAME_BYTES + int.from_bytes(octets[4:_FRAME_BYTES], "big")
        if octets[:4] != _MESSAGE_START or size % 8:
            self._context.broken_frames += 1
            log.debug("%s: what came is no RequestMessage", self._peer.remote_ip)
            return False
        if len(octets) > size:  # of a client that sends ahead
            self.stream.put_back(octets[size:])
            octets = octets[:size]
        message = Message(self._context, self._peer, self.stream)
        self._context.in_flight.begin(message, self)
        try:
            answer = await self._answer(message, octets, size)
            await self.stream.write(answer)
        finally:
            self._context.end_message(message, self)
        return not (message.is_last or self._ends_soon or self._context.is_stopping)

    async def _answer(self, message: Message, octets: bytes, size: int) -> bytes:
        """Answer a message. octets: those that have arrived. size: of the whole message."""
        end_of_frame = min(size, 2 * _FRAME_BYTES)
        if len(octets) < end_of_frame:
            octets = await self._read_on(octets, end_of_frame)
        end_of_header = _find_end_of_header(octets, size)
        if len(octets) < end_of_header:
            octets = await self._read_on(octets, end_of_header)
        start = octets[:end_of_header]
        refusal = await message.admit(start, size)
        if refusal is None:
            if len(octets) < size:
                octets = await self._read_rest(octets, size, message.sender)
            return await message.answer(octets)
        if size - len(octets) > _MOST_DROPPED:
            message.is_last = True
        elif len(octets) < size:
            octets = await self._read_on(octets, size)
        return message.refuse(octets, refusal)

    async def _read_on(self, octets: bytes, size: int) -> bytes:
        """The octets and those that follow, up to this size."""
        return octets + await self.stream.read_bytes(size - len(octets))

    async def _read_rest(self, octets: bytes, size: int, sender: str) -> bytes:
        if size - len(octets) <= BODY_PIECE:
            return await self._read_on(octets, size)
        message = bytearray(octets)
        while len(message) < size:
            message += await self.stream.read_bytes(min(BODY_PIECE, size - len(message)))
            await self._context.loop_turns.wait(sender)
        return bytes(message)


def _find_end_of_header(octets: bytes, size: int) -> int:
    """Where the header of the message ends. Without a header, it is the end of the frame in its place.

    A header that is too long is read in part and then refused: the rest, which nobody would look at, may name another
    sender. size: of the message.
    """
    end_of_frame = min(size, 2 * _FRAME_BYTES)
    length = int.from_bytes(octets[end_of_frame - 4 : end_of_frame], "big")
    if octets[8:12] != _HEADER_START or length > size - end_of_frame:
        return end_of_frame
    return end_of_frame + min(length, _MOST_OF_HEADER)


def _acknowledge(stream: TLSStream) -> None:
    """Acknowledge the end of the handshake now, and not together with the answer or after 40 ms.

    In a resumed handshake of TLS 1.2 the client speaks last, and many clients' systems send the message only after that
    was acknowledged (RFC 896).
    """
    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
