"""Which stage of a request a line of Python belongs to. Pure.

The innermost frame that a rule names decides, so a MAC that is computed while a row is read counts as crypto. Libraries and
helpers that several stages use have no rule: their callers decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: In the order of a request. rules: the operation itself, and who may do what. loop: the event loop, and what it runs
#: between requests. other: threads that no frame is known of.
STAGES = (
    "read", "token", "parse", "rules", "fetch", "crypto", "commit", "audit", "format", "send", "log",
    "loop", "other",
)  # fmt: skip

#: (end of the file's directory and name, pattern of the function's whole name, stage); the first that fits counts.
_RULES = [
    (re.compile(path), re.compile(function), stage)
    for path, function, stage in (
        (r"kms_tornado/store/sql/(tables/row_macs|upkeep/sealing)\.py", r".*mac.*|seal.*|open.*", "crypto"),
        (r"kms_tornado/crypto/", r".*", "crypto"),
        (r"kms_tornado/audit/|kms_tornado/service/auditing/", r".*", "audit"),
        (r"kms_tornado/store/sql/audit/", r".*", "audit"),
        (r"kms_tornado/store/sql(ite)?/(writer|commits|changes|additions)\.py", r".*", "commit"),
        (r"kms_tornado/store/sql/tables/(nonces|side_tables|owners|grants|tombstones|naming|attribute_rows)\.py", r".*", "commit"),
        (r"kms_tornado/store/postgres/(writing/|connections/write_|transaction|arrays|exchange)", r".*", "commit"),
        (r"kms_tornado/operations/common/transaction\.py", r"finish|commit.*", "commit"),
        (r"kms_tornado/store/sql/store\.py", r".*commit.*|__enter__|__exit__", "commit"),
        # Both ways run their statements by these.
        (r"kms_tornado/store/(?!sql/(statements|watched)\.py)", r".*", "fetch"),
        (r"kms_tornado/auth/|kms_tornado/web/bearer/", r".*", "token"),
        (r"kms_tornado/web/fast_lane\.py", r"recall_principal", "token"),
        (r"kms_tornado/web/fast_lane\.py", r"_send|_write|finish|_mark_answered|_retrieve|_format_date", "send"),
        (r"kms_tornado/web/fast_lane\.py", r"_record", "log"),
        (r"kms_tornado/web/fast_lane\.py|kms_tornado/web/request_identity\.py", r".*", "read"),
        (r"kms_tornado/web/(access_log\.py|metrics/)", r".*", "log"),
        (r"kms_tornado/(transport/request_log|logs|redaction)\.py|logging/\w+\.py", r".*", "log"),
        (r"kms_tornado/kmip/(messages|codecs)/", r"_?parse.*", "parse"),
        (r"kms_tornado/kmip/(messages|codecs)/", r"_?(format|write|render).*", "format"),
        (r"kms_tornado/kmip/codecs/json_parsing\.py", r".*", "parse"),
        (r"kms_tornado/kmip/(messages/responses|codecs/(long_\w+|\w+_formatting))\.py", r".*", "format"),
        (r"kms_tornado/service/batch\.py", r"_render", "format"),
        (r"kms_tornado/service/message_exchange\.py", r"parse.*", "parse"),
        (r"kms_tornado/(operations|domain|service)/|kms_tornado/web/kmip_exchange\.py", r".*", "rules"),
        (r"tornado/(http1connection|iostream)\.py", r".*write.*|finish|_on_write.*", "send"),
        (r"kms_tornado/transport/streams\.py", r".*write.*", "send"),
        (r"tornado/(http1connection|iostream|httpserver|tcpserver)\.py|kms_tornado/transport/", r".*", "read"),
        (r"(asyncio|uvloop|tornado/platform)/", r".*", "loop"),
    )
]  # fmt: skip


def find_stage(frames: Iterable[tuple[str, str]]) -> str:
    """frames: (path of the file, name of the function), the innermost first."""
    for path, function in frames:
        for path_pattern, function_pattern, stage in _RULES:
            if path_pattern.search(path) and function_pattern.fullmatch(function):
                return stage
    return "other"
