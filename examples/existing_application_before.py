"""The application of existing_application.py before it was protected: everybody may do everything."""

import asyncio
import os

import tornado.web
import tornado.websocket

ORDERS = {"1": "tea"}


class BaseHandler(tornado.web.RequestHandler):
    """The base class that the application always had."""

    def prepare(self):
        self.set_header("X-Application", "orders")  # and no super().prepare(), as is common


class OrderHandler(BaseHandler):
    def head(self, number):
        self.set_status(200 if number in ORDERS else 404)

    def get(self, number):
        self.write({"order": ORDERS.get(number)})

    def put(self, number):
        ORDERS[number] = self.request.body.decode()
        self.set_status(204)


class Events(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)


class Files(tornado.web.StaticFileHandler):
    pass


def make_app():
    return tornado.web.Application(
        [
            (r"/orders/(\d+)", OrderHandler),
            (r"/events", Events),
            (r"/files/(.*)", Files, {"path": os.path.dirname(os.path.abspath(__file__))}),
        ]
    )


async def main():
    make_app().listen(int(os.environ.get("PORT", "8888")), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
