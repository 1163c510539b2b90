"""The servers that are measured, each to be run in a process of its own, on the core it is given.

No ``from __future__ import annotations`` here: FastAPI reads the annotations of local functions.
"""

import asyncio
import json
import os
from base64 import urlsafe_b64decode
from typing import Any

from tests.bench.verify import AUDIENCE, ISSUER

#: What a handler answers to GET.
SMALL = b'{"state": "ready"}'
_JSON = {"Content-Type": "application/json"}

Keys = list[dict[str, Any]]


def serve_tornado(port: int, keys: Keys, core: int, fast: bool = False) -> None:
    """Ours, on a port each: no check, BearerAuthMixin, and checks to compare it with.

    fast: uvloop and orjson, what the extra `fast` brings.
    """
    os.sched_setaffinity(0, {core})
    from tornado.web import Application

    from kms_tornado import BearerApplication, BearerAuth
    from kms_tornado.auth.issuers.jwk import key_from_jwk
    from kms_tornado.auth.issuers.key_source import LoadedKeys
    from kms_tornado.auth.issuers.keyset import KeySet

    handlers = _make_handlers(keys, fast)

    async def main() -> None:
        auth = BearerAuth.from_issuer(ISSUER, audience=AUDIENCE)
        for cache in auth._caches.values():
            cache._record_success(LoadedKeys(KeySet([key_from_jwk(key) for key in keys]), None))
        # A port each: the later a route comes in an application, the longer is the way to it.
        for number, handler in enumerate(handlers):
            app = Application([("/", handler)], bearer_auth=auth, log_function=lambda handler: None)
            app.listen(port + number, "127.0.0.1")
        routes = {("POST", "/"): _make_echo(fast), ("GET", "/"): _answer_small}
        app = BearerApplication(fast_routes=routes, bearer_auth=auth)
        app.listen(port + len(handlers), "127.0.0.1")
        await asyncio.Event().wait()

    if fast:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


def _make_handlers(keys: Keys, fast: bool) -> tuple[Any, ...]:
    """The handler of each port of serve_tornado, from its first."""
    from jose import jwt
    from tornado.web import HTTPError, RequestHandler

    from kms_tornado import BearerAuthMixin
    from kms_tornado.auth.issuers.jwk import key_from_jwk
    from kms_tornado.auth.tokens.signature import build_verify

    loads, dumps = _choose_json(fast)
    verify = build_verify(key_from_jwk(keys[0]).public_key, "RS256")
    remembered: dict[str, int] = {}

    class Open(RequestHandler):
        def post(self) -> None:
            self.set_header("Content-Type", "application/json")
            self.write(dumps(loads(self.request.body)))

        def get(self) -> None:
            self.set_header("Content-Type", "application/json")
            self.write(SMALL)

    class Closed(BearerAuthMixin, Open):
        pass

    class Bare(Open):
        """What no check can do without: the signature, of a token that is cut up and decoded."""

        def prepare(self) -> None:
            text = self.request.headers["Authorization"]
            signing_input, _, signature = text[7:].rpartition(".")
            if not verify(signing_input.encode(), urlsafe_b64decode(signature + "==")):
                raise HTTPError(401)

    class Dict(Open):
        """What no memory of tokens can do without."""

        def prepare(self) -> None:
            self.current_user = remembered.setdefault(self.request.headers["Authorization"], 1)

    class Jose(Open):
        def prepare(self) -> None:
            text = self.request.headers["Authorization"].removeprefix("Bearer ")
            jwt.decode(text, keys[0], algorithms=["RS256"], issuer=ISSUER, audience=AUDIENCE)

    return Open, Closed, Dict, Bare, Jose


def _choose_json(fast: bool) -> Any:
    """(loads, dumps) of bytes."""
    if fast:
        from orjson import dumps, loads

        return loads, dumps
    return json.loads, lambda value: json.dumps(value).encode()


def _answer_small(request: Any) -> Any:
    """The function of a fast route that has nothing to do."""
    from kms_tornado import FastAnswer

    return FastAnswer(SMALL, headers=_JSON)


def _make_echo(fast: bool) -> Any:
    """The function of a fast route that does what the handlers do."""
    from kms_tornado import FastAnswer, FastRequest

    loads, dumps = _choose_json(fast)

    def echo(request: FastRequest) -> FastAnswer:
        return FastAnswer(dumps(loads(request.body)), headers=_JSON)

    return echo


def serve_fast_tornado(port: int, keys: Keys, core: int) -> None:
    serve_tornado(port, keys, core, fast=True)


def check_with_pyjwt(keys: Keys) -> Any:
    """header value → claims, as PyJWT's documentation does it with a key that is at hand."""
    import jwt

    public = jwt.PyJWK(keys[0]).key

    def check(authorization: str) -> Any:
        text = authorization.removeprefix("Bearer ")
        return jwt.decode(text, public, algorithms=["RS256"], issuer=ISSUER, audience=AUDIENCE)

    return check


def serve_aiohttp(port: int, keys: Keys, core: int) -> None:
    os.sched_setaffinity(0, {core})
    from aiohttp import web

    check = check_with_pyjwt(keys)

    async def echo(request: web.Request) -> web.Response:
        check(request.headers["Authorization"])
        return web.json_response(json.loads(await request.read()))

    app = web.Application()
    app.router.add_post("/", echo)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def serve_fastapi(port: int, keys: Keys, core: int) -> None:
    os.sched_setaffinity(0, {core})
    import uvicorn
    from fastapi import Depends, FastAPI, Request

    check = check_with_pyjwt(keys)
    app = FastAPI()

    def user(request: Request) -> str:
        return str(check(request.headers["Authorization"])["sub"])

    @app.post("/")
    async def echo(body: dict, name: str = Depends(user)) -> dict:  # type: ignore[type-arg]
        return body

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def serve_granian(port: int, keys: Keys, core: int) -> None:
    os.sched_setaffinity(0, {core})
    from granian.server.embed import Server

    check = check_with_pyjwt(keys)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        check(dict(scope["headers"])[b"authorization"].decode())
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        data = json.dumps(json.loads(body)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(data)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    asyncio.run(Server(app, address="127.0.0.1", port=port, interface="asgi").serve())
