"""An API whose methods need scopes: ISSUER=https://… AUDIENCE=… python scoped_api.py

A client that knows only the URL finds the issuer by the challenge of a 401, and the scope that it lacks in that of a 403.
"""

import asyncio
import json
import os

from tornado.web import HTTPError

from kms_tornado import (
    BearerApplication,
    BearerAuth,
    BearerRequestHandler,
    ProtectedResourceMetadataHandler,
    requires,
)

PORT = int(os.environ.get("PORT", "8888"))
URL = os.environ.get("URL", f"http://127.0.0.1:{PORT}")

auth = BearerAuth.from_issuer(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])

PARCELS = {"1": {"state": "packed", "owner": "alice"}}


class ApiHandler(BearerRequestHandler):
    """What all handlers of the API have in common."""

    def find_parcel(self, number):
        parcel = PARCELS.get(number)
        if parcel is None or parcel["owner"] != self.current_user.name:
            raise HTTPError(404)  # what is not there and what is another's read alike
        return parcel


class ParcelHandler(ApiHandler):
    @requires(scope="parcels:read")
    def get(self, number):
        self.write(self.find_parcel(number))

    @requires(scope="parcels:write")
    def put(self, number):
        if number in PARCELS:
            self.find_parcel(number)
        try:
            state = str(json.loads(self.request.body)["state"])
        except (ValueError, KeyError, TypeError):
            raise HTTPError(400, reason="The body has no state") from None
        PARCELS[number] = {"state": state, "owner": self.current_user.name}
        self.set_status(204)

    @requires(scope="parcels:write", role="clerk")
    def delete(self, number):
        PARCELS.pop(number, None)
        self.set_status(204)


@requires(scope="parcels:read")
def count_parcels(request):
    """Asked by everybody, all the time."""
    name = request.principal.name
    return {"parcels": sum(parcel["owner"] == name for parcel in PARCELS.values())}


def make_app():
    described = {"resource": URL, "scopes_supported": ["parcels:read", "parcels:write"]}
    return BearerApplication(
        [
            (r"/parcels/(\d+)", ParcelHandler),
            ("/.well-known/oauth-protected-resource", ProtectedResourceMetadataHandler, described),
        ],
        fast_routes={("GET", "/parcels/count"): count_parcels},
        bearer_auth=auth,
        resource_metadata_url=f"{URL}/.well-known/oauth-protected-resource",
    )


async def main():
    async with auth:
        make_app().listen(PORT, "127.0.0.1")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
