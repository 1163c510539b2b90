"""The handlers of access rights on objects: grant, withdraw, list."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ...audit.record import Origin
from ...domain.access import format_operation_names
from ...errors import KMIPError, Unavailable
from ...service.objects.access_rights import AccessRequest, AccessRights, parse_access_request
from ..answers import JSON, Answer, render_failure
from ..bearer.refusals import refuse
from .protected_handler import ProtectedHandler


class AccessHandler(ProtectedHandler):
    """Answers with plain JSON, or with 422 and ``Result_Reason: message`` as KMIP's handlers do."""

    async def answer_with(self, act: Callable[[AccessRights, str, Origin], Awaitable[Any]]) -> None:
        """Answer with what `act` returns. It takes the access rights, the principal's name and the origin."""
        kms, principal = self.context.kms, self.current_user.name
        try:
            value = await act(kms.access, principal, self.origin)
            text = await kms.run_surely(lambda: _format_json(value), principal=principal)
        except KMIPError as exc:
            self.log_entry["result"] = exc.reason_with_underscores
            if kms.auditor is not None:
                kms.auditor.note_failure(self.origin, exc.reason_with_underscores)
            self.send_answer(render_failure(exc))
        except Unavailable as exc:
            refuse(self, exc)
        else:
            self.log_entry["result"] = "Success"
            self.send_answer(Answer(200, JSON, text.encode()))

    def parse_body(self) -> AccessRequest:
        """The body as a request, whose object, user and rights go into the access log.

        Raises KMIPError for a malformed body.
        """
        request = parse_access_request(self.take_body())
        self.log_entry["uid"], self.log_entry["grantee"] = request.uid, request.user
        self.log_entry["rights"] = ",".join(format_operation_names(request.operations))
        return request


class GrantHandler(AccessHandler):
    """Grants a user or a group access rights on one of the caller's objects."""

    takes_body = True

    async def post(self) -> None:
        async def grant(rights: AccessRights, principal: str, origin: Origin) -> dict[str, str]:
            request = self.parse_body()
            has_groups = self.auth is not None and self.auth.has_groups
            await rights.grant(principal, request, origin, has_groups=has_groups)
            return {"success": f"Access for {request.user} successfully added"}

        await self.answer_with(grant)


class WithdrawHandler(AccessHandler):
    """Withdraws access rights. The path says ``revoke``, but KMIP's Revoke is about the object itself."""

    takes_body = True

    async def post(self) -> None:
        async def withdraw(rights: AccessRights, principal: str, origin: Origin) -> dict[str, str]:
            request = self.parse_body()
            await rights.withdraw(principal, request, origin)
            return {"success": f"Access for {request.user} successfully deleted"}

        await self.answer_with(withdraw)


class GrantsHandler(AccessHandler):
    """Lists the access rights that others have on one of the caller's objects."""

    async def get(self, uid: str) -> None:
        self.log_entry["uid"] = uid
        await self.answer_with(
            lambda rights, principal, origin: rights.list_grants(principal, uid, origin)
        )


class OwnedHandler(AccessHandler):
    """Lists the objects that the caller owns."""

    async def get(self) -> None:
        await self.answer_with(AccessRights.list_owned)


class ObtainedHandler(AccessHandler):
    """Lists the objects of others on which the caller has access rights."""

    async def get(self) -> None:
        groups = self.current_user.groups
        await self.answer_with(
            lambda rights, principal, origin: rights.list_granted(principal, groups, origin)
        )


def _format_json(value: Any) -> str:
    """The value in JSON. Lists are formatted item by item: one call for 100,000 of them would hold the GIL."""
    if isinstance(value, list):
        return f"[{', '.join(map(json.dumps, value))}]"
    return json.dumps(value)
