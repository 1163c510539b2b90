"""The handlers of `/audit`: records as JSON lines, page by page, and their numbers over time."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from urllib.parse import urlencode

from ...audit.query import RecordQuery
from ...errors import KMIPError, Unavailable
from ...service.auditing.record_reader import AmbiguousName
from ...service.auditing.request import (
    BadAuditRequest,
    parse_audit_request,
    parse_statistics_request,
)
from ..answers import JSON, JSON_ERROR, Answer, render_error_body, render_failure
from ..bearer.refusals import refuse
from ..query import BadQuery, decode_query
from .protected_handler import ProtectedHandler

_JSON_LINES = "application/x-ndjson"


class RecordsHandler(ProtectedHandler, ABC):
    """Shows what the caller did, and what anybody did with the caller's objects; to --auditors it shows everything."""

    async def get(self) -> None:
        try:
            await self._answer(decode_query(self.request))
        except (BadQuery, BadAuditRequest) as exc:
            self._answer_error(400, "invalid_request", str(exc))
        except AmbiguousName as exc:
            self._answer_error(403, "access_denied", str(exc))
        except KMIPError as exc:
            self.log_entry["result"] = exc.reason_with_underscores
            self.send_answer(render_failure(exc))
        except Unavailable as exc:
            refuse(self, exc)
        else:
            self.log_entry["result"] = "Success"

    @abstractmethod
    async def _answer(self, parameters: dict[str, list[str]]) -> None:
        """The answer. Raises BadAuditRequest, AmbiguousName, KMIPError and Unavailable before any of it is sent."""

    def _log_uid(self, query: RecordQuery) -> None:
        if query.uid is not None:
            self.log_entry["uid"] = query.uid

    def _answer_error(self, status: int, error: str, description: str) -> None:
        self.log_entry["result"] = error
        self.send_answer(Answer(status, JSON_ERROR, render_error_body(error, description)))


class AuditHandler(RecordsHandler):
    """Records, page by page.

    The header `Link` names where further ones are (RFC 8288, ``rel="next"``), relative to this request.
    """

    async def _answer(self, parameters: dict[str, list[str]]) -> None:
        request = parse_audit_request(parameters)
        self._log_uid(request.query)
        reader = self.context.kms.record_reader
        answer = await reader.read(self.current_user.name, request, self.origin)
        if answer.next is not None:
            again = {**parameters, "cursor": [answer.next.format()]}
            self.set_header("Link", f'<?{urlencode(again, doseq=True)}>; rel="next"')
        body = b"".join(line + b"\n" for line in answer.lines)
        self.send_answer(Answer(200, _JSON_LINES, body))


class AuditStatisticsHandler(RecordsHandler):
    """How many of these records there were in each hour, or another step of time."""

    async def _answer(self, parameters: dict[str, list[str]]) -> None:
        request = parse_statistics_request(parameters, now=time.time())
        self._log_uid(request.query)
        reader = self.context.kms.record_reader
        counts = await reader.count(self.current_user.name, request, self.origin)
        self.send_answer(Answer(200, JSON, json.dumps(counts).encode()))
