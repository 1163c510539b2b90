"""The handler of `/audit`: records as JSON lines, page by page."""

from __future__ import annotations

from urllib.parse import urlencode

from ..errors import KMIPError, Unavailable
from ..service.audit_request import BadAuditRequest, parse_audit_request
from ..service.record_reader import AmbiguousName, AuditAnswer
from .answers import JSON_ERROR, Answer, render_error_body, render_failure
from .bearer.refusals import refuse
from .service_handler import ProtectedHandler

_JSON_LINES = "application/x-ndjson"


class AuditHandler(ProtectedHandler):
    """Tells what the caller did, what anybody did with the caller's objects, and to --auditors everything.

    The header `Link` names where further ones are (RFC 8288, ``rel="next"``), relative to this request.
    """

    async def get(self) -> None:
        try:
            parameters = self._read_parameters()
            request = parse_audit_request(parameters)
            if request.query.uid is not None:
                self.log_entry["uid"] = request.query.uid
            kms = self.context.kms
            answer = await kms.record_reader.read(self.current_user.name, request, self.origin)
        except BadAuditRequest as exc:
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
            self._answer_records(answer, parameters)

    def _read_parameters(self) -> dict[str, list[str]]:
        """Raises BadAuditRequest."""
        try:
            return {
                name: [value.decode() for value in values]
                for name, values in self.request.query_arguments.items()
            }
        except UnicodeDecodeError:
            raise BadAuditRequest("the parameters are no UTF-8") from None

    def _answer_records(self, answer: AuditAnswer, parameters: dict[str, list[str]]) -> None:
        if answer.next is not None:
            again = {**parameters, "cursor": [answer.next.format()]}
            self.set_header("Link", f'<?{urlencode(again, doseq=True)}>; rel="next"')
        body = b"".join(line + b"\n" for line in answer.lines)
        self.send_answer(Answer(200, _JSON_LINES, body))

    def _answer_error(self, status: int, error: str, description: str) -> None:
        self.log_entry["result"] = error
        self.send_answer(Answer(status, JSON_ERROR, render_error_body(error, description)))
