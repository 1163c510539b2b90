"""An application that had its own handlers before it gained protection.

What was added for it: the import, `auth`, the mixin in front of each base class, `bearer_auth=auth`,
and `async with auth`. Start it: ISSUER=https://… AUDIENCE=… python existing_application.py
"""

import asyncio
import os

import tornado.web
import tornado.websocket

from kms_tornado import BearerAuth, BearerAuthMixin, requires

auth = BearerAuth.from_issuer(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])

ORDERS = {"1": "tea"}


class BaseHandler(tornado.web.RequestHandler):
    """The base class that the application always had."""

    def prepare(self):
        self.set_header("X-Application", "orders")  # and no super().prepare(), as is common


class OrderHandler(BearerAuthMixin, BaseHandler):
    public_methods = ("HEAD",)  # a monitoring probe asks without a token

    def head(self, number):
        self.set_status(200 if number in ORDERS else 404)

    def get(self, number):
        self.write({"order": ORDERS.get(number), "seen_by": self.current_user.name})

    @requires(scope="orders:write")
    def put(self, number):
        ORDERS[number] = self.request.body.decode()
        self.set_status(204)


class Events(BearerAuthMixin, tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(f"{self.current_user.name}: {message}")


class Files(BearerAuthMixin, tornado.web.StaticFileHandler):
    pass


def make_app():
    return tornado.web.Application(
        [
            (r"/orders/(\d+)", OrderHandler),
            (r"/events", Events),
            (r"/files/(.*)", Files, {"path": os.path.dirname(os.path.abspath(__file__))}),
        ],
        bearer_auth=auth,
    )


async def main():
    async with auth:
        make_app().listen(int(os.environ.get("PORT", "8888")), "127.0.0.1")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
