"""What each way around Tornado's request handlers needs of HTTP: which Host is plain, and how an answer begins.

Fast routes of applications take it, and so does the server's own fast lane.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http.client import responses

from tornado.httputil import format_timestamp

#: Values of Host that are clearly one host name or address. The long way decides about all others.
PLAIN_HOST = re.compile(
    r"[A-Za-z0-9.-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)


@lru_cache(64)
def format_head_start(status: int, second: int, common_headers: str) -> str:
    """The status line, and the headers that are the same for all answers of the second.

    Tornado makes a line of each header and looks at each line again, which takes twenty times as long.

    second: of the answer's Date, in seconds since the Unix epoch.
    common_headers: their lines, each with its CRLF.
    """
    reason = responses.get(status, "Unknown")
    date = format_timestamp(second)
    return f"HTTP/1.1 {status} {reason}\r\n{common_headers}Date: {date}\r\n"
