"""Tests of existing_application.py, without network: python -m unittest test_existing_application.py

pytest runs them as well. The application needs its environment when it is imported; nothing is asked there.
"""

import os
import unittest

from tornado.httpclient import HTTPRequest
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.websocket import websocket_connect

from kms_tornado.testing import BearerTestMixin

os.environ.setdefault("ISSUER", "https://issuer.example")
os.environ.setdefault("AUDIENCE", "orders")

from existing_application import make_app


class OrderTest(BearerTestMixin, AsyncHTTPTestCase):
    def get_app(self):
        return make_app()

    def test_user_sees_an_order(self):
        self.assertIn(b"alice", self.fetch_as("alice", "/orders/1").body)

    def test_stranger_sees_no_order(self):
        self.assertEqual(self.fetch("/orders/1").code, 401)

    def test_token_for_another_service_is_refused(self):
        headers = self.headers_as("alice", aud="others")
        self.assertEqual(self.fetch("/orders/1", headers=headers).code, 401)

    def test_change_needs_the_scope(self):
        change = {"method": "PUT", "body": "cake"}
        self.assertEqual(self.fetch_as("alice", "/orders/2", **change).code, 403)
        writer = {"scope": "orders:write"}
        self.assertEqual(self.fetch_as("alice", "/orders/2", claims=writer, **change).code, 204)

    @gen_test
    async def test_web_socket_knows_its_user(self):
        url = self.get_url("/events").replace("http", "ws")
        connection = await websocket_connect(HTTPRequest(url, headers=self.headers_as("alice")))
        await connection.write_message("hi")
        self.assertEqual(await connection.read_message(), "alice: hi")
        connection.close()


if __name__ == "__main__":
    unittest.main()
