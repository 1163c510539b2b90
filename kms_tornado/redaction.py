"""Removes tokens from texts and from log records, including Tornado's own.

This is a second line of defence: no code of this package logs a token. But Tornado logs the whole target of a request,
in which careless clients put tokens, and quotes headers that it cannot parse.
"""

from __future__ import annotations

import logging
import re
import traceback
from urllib.parse import unquote

# The quantifiers are possessive (`++`), and no match begins inside a word: a stranger chooses the path
# that is logged, and a path of 60 kB kept a pattern that backtracks busy for 14 s.
_TOKEN = re.compile(
    r"""
    bearer[\s:=+%20]+(?!tokens?\b)[A-Za-z0-9\-._~+/]++=*+    # a credential, whole or broken
    | eyJ[A-Za-z0-9_-]{8,}+(?:(?:\.|%2e)[A-Za-z0-9_-]*+)*+    # a compact JWS from its "{" on
    | (?<![A-Za-z0-9_-])[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{20,}+
                                            # whatever its header; a host name ends in less
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Every match contains "bearer", "eyJ" or a part like this. Hardly any line does, so hardly any pays for
# the whole pattern.
_LAST_PART = re.compile(r"\.[A-Za-z0-9_-]{20}")

# A whole JWT, signed or encrypted, and nothing that could be a name.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+){2,4}+")

# The name of a parameter in a URL, or in a URL that is quoted within another one, and the equals sign.
# Everything that separates parameters ends a name, so each character is looked at once or twice.
_PARAMETER = re.compile(
    r"(?:[?&;#]|%(?:25)*(?:3f|26|3b|23))((?:[\w.~+-]|%5f|%2d|%2e|%[46][1-9a-f]|%[57][0-9a]){1,100}+)(?:=|%(?:25)*3d)",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^&\s]*")
_QUOTED_VALUE = re.compile(r"(?:(?!%(?:25)*26)[^&\s])*+", re.IGNORECASE)
_AFTER_VALUE = "'\")]},>"  # what follows a URL in a line that quotes it
#: Parameters that carry a token (RFC 6750 §2.3, RFC 7521, RFC 8693, OpenID Connect), without -, _ and dots.
#: `page_token` and the like carry none.
_NAMES = frozenset(
    {
        "accesstoken", "token", "idtoken", "idtokenhint", "refreshtoken", "authtoken", "apitoken", "bearertoken",
        "xaccesstoken", "subjecttoken", "actortoken", "jwt", "bearer", "authorization", "assertion", "clientassertion",
    }
)  # fmt: skip

#: The loggers that name what a request of an application asked for. (The server's own access log has its
#: formatter, which masks.)
_LOGGERS = (
    "tornado.access", "tornado.application", "tornado.general",
    "kms_tornado.auth", "kms_tornado.web",
)  # fmt: skip


def mask_tokens(text: str) -> str:
    """The text without anything that looks like a token, or is named as one in a URL."""
    lowered = text.lower()
    if "bearer" in lowered or "eyj" in lowered or _LAST_PART.search(text):
        text = _TOKEN.sub("[token]", text)
    # What begins a parameter is looked for first: hardly any line has it, and each has an equals sign.
    if ("?" in text or "&" in text or "%" in text or "#" in text or ";" in text) and (
        "=" in text or "%3d" in lowered or "%253d" in lowered
    ):
        text = _mask_parameters(text)
    return text


def mask_jwts(text: str) -> str:
    """The text without whole JWTs. It removes less than `mask_tokens`: it is for names, none of which may be lost."""
    return _JWT.sub("[token]", text) if "eyJ" in text else text


def _mask_parameters(text: str) -> str:
    parts, end = [], 0
    while match := _PARAMETER.search(text, end):
        parts.append(text[end : match.end()])
        end = match.end()
        if re.sub(r"[-_.]", "", unquote(match[1])).lower() in _NAMES:
            value = (_VALUE if match[0][-1] == "=" else _QUOTED_VALUE).match(text, end)
            masked = value[0].rstrip(_AFTER_VALUE) if value else ""
            parts.append("[token]" if masked else "")
            end += len(masked)
    return "".join([*parts, text[end:]])


def mask_logs() -> None:
    """Remove tokens from what Tornado and the handlers log, whichever log handlers write it.

    Calling it again changes nothing. What the application itself logs is left alone.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_mask_record)


def _mask_record(record: logging.LogRecord) -> bool:
    """A filter for `logging` that lets every record pass, with tokens removed."""
    if str(record.msg).startswith("Malformed HTTP message") and isinstance(record.args, tuple):
        # Tornado's "Malformed HTTP message from …: Invalid header value '…'" is cut before the value.
        record.args = tuple(re.split(r"['\":]", str(arg), maxsplit=1)[0] for arg in record.args)
    try:
        message = record.getMessage()
    except Exception:  # whatever the arguments' own __str__ raises
        return True  # logging itself will tell that message and arguments do not fit
    masked = mask_tokens(message)
    if masked != message:
        record.msg, record.args = masked, None
    if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        if (masked := mask_tokens(text)) != text:
            record.exc_text = masked  # formatters take it in place of the exception
    return True
