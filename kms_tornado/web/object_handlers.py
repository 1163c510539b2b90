"""The handlers of `/objects`: the caller's objects in pages, and their numbers."""

from __future__ import annotations

from urllib.parse import urlencode

from ..audit.record import Origin
from ..service.access_rights import AccessRights
from ..service.listing_request import BadListingRequest, format_cursor, parse_listing_request
from ..service.object_listing import ListingAnswer
from .access_handlers import AccessHandler
from .answers import JSON_ERROR, Answer, render_error_body
from .query import decode_query


class ObjectsHandler(AccessHandler):
    """Lists the objects that the caller owns or was granted, those alone that are asked for.

    The header `Link` names where further ones are (RFC 8288, ``rel="next"``), relative to this request.
    """

    async def get(self) -> None:
        try:
            parameters = decode_query(self.request)
            request = parse_listing_request(parameters)
        except (BadListingRequest, UnicodeDecodeError) as exc:
            is_text = isinstance(exc, BadListingRequest)
            text = str(exc) if is_text else "the parameters are no UTF-8"
            self.log_entry["result"] = "invalid_request"
            self.send_answer(Answer(400, JSON_ERROR, render_error_body("invalid_request", text)))
            return

        async def list_objects(_: AccessRights, principal: str, origin: Origin) -> object:
            listing, groups = self.context.kms.listing, self.current_user.groups
            answer: ListingAnswer = await listing.list(principal, groups, request, origin)
            if answer.next is not None:
                again = {**parameters, "cursor": [format_cursor(answer.next)]}
                self.set_header("Link", f'<?{urlencode(again, doseq=True)}>; rel="next"')
            return answer.objects

        await self.answer_with(list_objects)


class ObjectSummaryHandler(AccessHandler):
    """Counts the objects that the caller owns."""

    async def get(self) -> None:
        await self.answer_with(
            lambda _, principal, origin: self.context.kms.listing.count(principal, origin)
        )
