"""What all connections of one listener share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..service.kms import KMS
from ..service.load.admission import Admission
from ..service.load.bytes_in_flight import BytesInFlight
from ..service.load.loop_turns import LoopTurns
from ..service.service import Service
from ..transport.in_flight import InFlight
from .callers import Callers

#: (outcome, log entries, seconds) of a message. The outcome is a key of OUTCOMES.
Observe = Callable[[str, Sequence[Mapping[str, Any]], float], None]

#: What may become of a message.
OUTCOMES = {
    "answered": "its operations were carried out, or it was answered with what is wrong with it",
    "refused": "its sender was not known, or sent too much",
    "failed": "the server could not carry it out",
}


@dataclass(slots=True)
class KMIPContext:
    """What all connections of one listener share.

    service: of the KMS, with the crypto policy of this transport.
    admission, bytes_in_flight, loop_turns: the same as those of HTTP.
    max_message_size: in bytes.
    observe: counts messages; None without metrics.
    is_stopping: set once, when the server begins to stop.
    connections_of: {user: the open connections with this user's certificates}.
    failed_handshakes, broken_frames: how many there were.
    """

    kms: KMS
    service: Service
    callers: Callers
    max_message_size: int
    admission: Admission
    bytes_in_flight: BytesInFlight
    loop_turns: LoopTurns
    in_flight: InFlight
    observe: Observe | None = None
    is_stopping: bool = False
    connections_of: Counter[str] = field(default_factory=Counter)
    failed_handshakes: int = 0
    broken_frames: int = 0

    def end_message(self, message: object, connection: Any) -> None:
        """Note that the answer to the message was sent, or that nobody will read it."""
        self.in_flight.end(message, connection)
        self.admission.leave(message)
        self.bytes_in_flight.leave(message)
