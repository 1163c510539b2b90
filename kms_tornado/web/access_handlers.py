"""The handlers of access rights: grant, withdraw, list. A few lines each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ..domain.access import format_operation_names
from ..errors import KMIPError, Unavailable
from ..service.access_rights import AccessRequest, AccessRights, parse_access_request
from .answers import JSON, Answer, failed
from .handlers import JSONHandler
from .service_handler import ProtectedHandler


class AccessHandler(ProtectedHandler, JSONHandler):
    """Plain JSON, or 422 with ``Result_Reason: message`` as for KMIP."""

    async def answer_with(self, work: Callable[[AccessRights, str], Awaitable[Any]]) -> None:
        """work: from the rights and the caller's name to the answer."""
        kms, principal = self.context.kms, self.current_user.name
        try:
            value = await work(kms.access, principal)
            text = await kms.offload_surely(lambda: _json(value), principal=principal)
        except KMIPError as exc:
            self.fields["result"] = exc.reason_with_underscores
            self.give(failed(exc))
        except Unavailable as exc:
            self.refuse_for_now(exc)
        else:
            self.fields["result"] = "Success"
            self.give(Answer(200, JSON, text.encode()))

    def read_request(self) -> AccessRequest:
        """The body, noted for the log: who let whom do what with which key."""
        request = parse_access_request(self.body)
        self.fields["uid"], self.fields["grantee"] = request.uid, request.user
        self.fields["rights"] = ",".join(format_operation_names(request.operations))
        return request


class GrantHandler(AccessHandler):
    takes_body = True

    async def post(self) -> None:
        async def grant(rights: AccessRights, principal: str) -> dict[str, str]:
            request = self.read_request()
            await rights.grant(principal, request)
            return {"success": f"Access for {request.user} successfully added"}

        await self.answer_with(grant)


class WithdrawHandler(AccessHandler):
    """``/access/revoke``: KMIP's Revoke is about the object, this about a right."""

    takes_body = True

    async def post(self) -> None:
        async def withdraw(rights: AccessRights, principal: str) -> dict[str, str]:
            request = self.read_request()
            await rights.withdraw(principal, request)
            return {"success": f"Access for {request.user} successfully deleted"}

        await self.answer_with(withdraw)


class GrantsHandler(AccessHandler):
    async def get(self, uid: str) -> None:
        self.fields["uid"] = uid
        await self.answer_with(lambda rights, principal: rights.grants_on(principal, uid))


class OwnedHandler(AccessHandler):
    async def get(self) -> None:
        await self.answer_with(AccessRights.owned)


class ObtainedHandler(AccessHandler):
    async def get(self) -> None:
        await self.answer_with(AccessRights.obtained)


def _json(value: Any) -> str:
    """A list item by item: in one go, 100,000 of them would keep all other threads waiting."""
    if isinstance(value, list):
        return f"[{', '.join(map(json.dumps, value))}]"
    return json.dumps(value)
