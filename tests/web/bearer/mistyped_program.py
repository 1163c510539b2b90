"""A user's mistakes, each of which type checkers find. It is not run."""

from __future__ import annotations

import tornado.web

import kms_tornado
from kms_tornado import (
    BearerApplication,
    BearerAuth,
    BearerRequestHandler,
    FastRequest,
    requires,
)

auth = BearerAuth.from_issuer("https://issuer.example/", audience="my-api")
BearerAuth.from_issuer("https://issuer.example/", leeway=30)  # leeway_s
BearerAuth.from_issuer("https://issuer.example/", audience=7)  # a text, or several
BearerAuth.from_issuer("https://issuer.example/", leeway_s="30")  # a number
BearerAuth.from_issuer("https://issuer.example/", required_claims=["role"])  # RequiredClaim
BearerAuth("https://issuer.example/")  # the settings, or from_issuer
kms_tornado.handlers("/kms", datadir="kms-data")  # data_dir
print(kms_tornado.BearerHandler)  # no such name


class Orders(BearerRequestHandler):
    public_methods = "GET"  # a tuple

    def get(self) -> None:
        print(self.current_user.email)  # a claim
        print(self.current_user["sub"])  # no dict
        self.current_user.name = "bob"  # it is frozen

    @requires("orders:write")  # scope=
    def put(self) -> None: ...

    @requires(scope=["a", "b"])  # "a b"
    def patch(self) -> None: ...


requires(Orders.get)  # the claims are missing


class Other(tornado.web.RequestHandler):
    @requires(scope="orders:write")  # no handler that knows the token
    def put(self) -> None: ...


def number(request: FastRequest) -> int:
    return 7


BearerApplication(fast_routes={("GET", "/number"): number})  # no body of an answer


class Account(BearerRequestHandler[dict[str, str]]):
    def get(self) -> None:
        print(self.current_user.name)  # a dict

    @requires(role=("clerk", None))  # no value of a claim
    def put(self) -> None: ...


class Number(Orders):
    @requires(scope="orders:write")
    async def post(self, number: int) -> None: ...

    async def head(self) -> None:
        await self.post("7")  # a number
        self.post(7).done()  # not awaited


async def main() -> None:
    auth.start().done()  # not awaited
