"""Tests of existing_application_before.py, as they were before it was protected.

test_existing_application.py is what became of them.
"""

import unittest

from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.websocket import websocket_connect

from existing_application_before import make_app


class OrderTest(AsyncHTTPTestCase):
    def get_app(self):
        return make_app()

    def test_order_is_seen(self):
        self.assertIn(b"tea", self.fetch("/orders/1").body)

    def test_order_is_changed(self):
        change = {"method": "PUT", "body": "cake"}
        self.assertEqual(self.fetch("/orders/2", **change).code, 204)

    @gen_test
    async def test_web_socket_answers(self):
        connection = await websocket_connect(self.get_url("/events").replace("http", "ws"))
        await connection.write_message("hi")
        self.assertEqual(await connection.read_message(), "hi")
        connection.close()


if __name__ == "__main__":
    unittest.main()
