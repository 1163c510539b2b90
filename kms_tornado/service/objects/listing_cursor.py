"""ListingCursors: positions in listings, as texts that reveal nothing.

A position contains the serial number of an object, which counts the objects that all users of the server have ever
made.
"""

from __future__ import annotations

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ...crypto.cursor_seal import CursorSeal
from ...store.interface.lists import ListPosition
from .listing_request import BadListingRequest

_POSITION = struct.Struct(">qq")
#: The sealed position in base64url.
_CURSOR = re.compile(r"[\w-]{43}", re.ASCII)


class ListingCursors:
    """Makes and reads cursors. Equal positions have equal cursors; a cursor works for its own principal alone."""

    def __init__(self, seal: CursorSeal) -> None:
        self._seal = seal

    def format_cursor(self, position: ListPosition, principal: str) -> str:
        sealed = self._seal.seal(_POSITION.pack(*position), principal)
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def parse_cursor(self, text: str, principal: str) -> ListPosition:
        """The position. Raises BadListingRequest."""
        value = None
        if _CURSOR.fullmatch(text):
            value = self._seal.open(urlsafe_b64decode(text + "="), principal)
        if value is None:
            raise BadListingRequest("cursor: take it from the link of the answer before")
        return ListPosition(*_POSITION.unpack(value))
