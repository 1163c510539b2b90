"""The handlers of `/objects`: the caller's objects in pages, and their numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from urllib.parse import urlencode

from ...audit.record import Origin
from ...service.objects.access_rights import AccessRights
from ...service.objects.listing import ListingAnswer
from ...service.objects.listing_request import (
    BadListingRequest,
    parse_listing_request,
    refuse_parameters,
)
from ..answers import JSON_ERROR, Answer, render_error_body
from ..query import BadQuery, decode_query
from .access import AccessHandler


class ListingHandler(AccessHandler, ABC):
    """Answers 400 where a parameter is unknown or makes no sense."""

    async def get(self) -> None:
        try:
            await self._answer(decode_query(self.request))
        except (BadQuery, BadListingRequest) as exc:
            self.log_entry["result"] = "invalid_request"
            body = render_error_body("invalid_request", str(exc))
            self.send_answer(Answer(400, JSON_ERROR, body))

    @abstractmethod
    async def _answer(self, parameters: dict[str, list[str]]) -> None:
        """The answer. Raises BadListingRequest before any of it is sent."""


class ObjectsHandler(ListingHandler):
    """Lists those of the objects which the caller owns or was granted that are asked for.

    The header `Link` names where to continue (RFC 8288, ``rel="next"``), relative to this request.
    """

    async def _answer(self, parameters: dict[str, list[str]]) -> None:
        request = parse_listing_request(parameters)

        async def list_objects(_: AccessRights, principal: str, origin: Origin) -> object:
            listing, groups = self.context.kms.listing, self.current_user.groups
            answer: ListingAnswer = await listing.list(principal, groups, request, origin)
            if answer.next is not None:
                again = {**parameters, "cursor": [answer.next]}
                self.set_header("Link", f'<?{urlencode(again, doseq=True)}>; rel="next"')
            return answer.objects

        await self.answer_with(list_objects)


class ObjectSummaryHandler(ListingHandler):
    """Counts the objects that the caller owns."""

    async def _answer(self, parameters: dict[str, list[str]]) -> None:
        refuse_parameters(parameters)
        await self.answer_with(
            lambda _, principal, origin: self.context.kms.listing.count(principal, origin)
        )
