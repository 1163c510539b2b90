"""A server with as much work as it takes: 503 with a time to come back, nothing changed, alive."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.service.kms import KMS
from kms_tornado.service.load.executor import LaneSize
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.web.app import make_app
from kms_tornado.web.fast_lane import FastLane
from kms_tornado.web.metrics.metrics import Metrics
from kms_tornado.web.server_context import ServerContext

from ..kmip_items import attributes, batch_item, message, name, number, octets, structure
from ..server import value_of
from ..support import running

ONE = LaneSize(threads=1, waiting=1, waiting_per_principal=1, retry_after_s=3)

PAIR = [
    structure(
        "CommonAttributes",
        name("CryptographicAlgorithm", "RSA"),
        number("CryptographicLength", 2048),
    )
]
#: Longer than what is read on the loop.
LONG = structure("Hash", octets("Data", bytes(100_000)))
LOCATE = structure("Locate")


class Server:
    """One KMS whose lanes the test fills by hand."""

    def __init__(self, client: Any, kms: KMS, gate: threading.Event) -> None:
        self.client, self.kms, self.gate = client, kms, gate
        self.jobs: list[Future[Any]] = []

    def fill(self, *, heavy: bool) -> None:
        loop = self.client.loop
        for principal in ("x", "y"):
            work = self.kms.offload(lambda: self.gate.wait(20), principal=principal, heavy=heavy)
            self.jobs.append(asyncio.run_coroutine_threadsafe(work, loop))
        assert self.kms.executor is not None
        lane = self.kms.executor.heavy if heavy else self.kms.executor.light
        while not lane.waiting:
            threading.Event().wait(0.005)

    def release(self) -> None:
        self.gate.set()
        for job in self.jobs:
            assert job.result(10)
        self.jobs.clear()

    def post(self, body: Any, path: str = "/kmip_2_1") -> Any:
        headers = {"Content-Type": "application/json"}
        return self.client.post(path, body=json.dumps(body).encode(), headers=headers)


@pytest.fixture(params=["fast lane", "long way"])
def server(tmp_path, request):
    kms = KMS(ServiceSettings(data_dir=tmp_path / "data"), light=ONE, heavy=ONE)
    gate = threading.Event()
    auth = InsecureNoAuth("admin")

    def app() -> Any:
        metrics = Metrics(auth, kms)  # the KMS is open by then
        context = ServerContext(kms=kms, auth=auth, max_body_size=2**20, metrics=metrics)
        application = make_app(context)
        if request.param == "long way":
            return application
        return FastLane(application, context, auth)

    with running(app, kms) as client:
        server = Server(client, kms, gate)
        yield server
        server.release()


def check_busy(answer):
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "3"
    assert "busy" in answer.json()["error_description"]


def objects(server):
    return value_of(json.loads(server.post(LOCATE).body), "LocatedItems")


@pytest.mark.parametrize("in_message", [False, True], ids=["bare", "message"])
def test_heavy_work_that_finds_no_place_is_503_and_makes_nothing(server, in_message):
    body = message(batch_item("CreateKeyPair", *PAIR)) if in_message else structure(
        "CreateKeyPair", *PAIR
    )  # fmt: skip
    server.fill(heavy=True)
    check_busy(server.post(body))
    assert objects(server) == 0
    server.release()
    assert server.post(body).status == 200
    assert objects(server) == 2


@pytest.mark.parametrize("option", ["Continue", "Stop", "Undo"])
def test_message_of_which_an_item_finds_no_place_is_503_and_makes_nothing(server, option):
    server.fill(heavy=True)
    create = batch_item(
        "Create", name("ObjectType", "SymmetricKey"), attributes(algorithm="AES", bits=256)
    )
    header = [name("BatchErrorContinuationOption", option)]
    body = message(create, batch_item("CreateKeyPair", *PAIR), header=header)
    check_busy(server.post(body))
    assert objects(server) == 0


def test_light_work_goes_on_while_heavy_work_fills_its_lane(server):
    server.fill(heavy=True)
    assert server.post(LONG).status in {200, 422}
    assert server.post(structure(
        "Create", name("ObjectType", "SymmetricKey"), attributes(algorithm="AES", bits=256)
    )).status == 200  # fmt: skip


def test_long_body_that_finds_no_place_is_503(server):
    server.fill(heavy=False)
    check_busy(server.post(LONG))


def test_what_was_done_is_told_however_full_the_server_is(server):
    """A 503 would say that nothing was changed."""
    create = structure(
        "Create", name("ObjectType", "SymmetricKey"), attributes(algorithm="AES", bits=256)
    )
    made = json.loads(server.post(create).body)
    key = value_of(made, "UniqueIdentifier")
    grant = {"unique_identifier": key, "user_id": "bob", "operation_types": ["get"]}
    server.fill(heavy=False)
    answer = server.post(grant, "/access/grant")
    assert answer.status == 200
    assert server.client.get(f"/access/list/{key}").json()[0]["user_id"] == "bob"


@pytest.mark.parametrize("path", ["/health", "/ready", "/version"])
def test_server_that_is_full_says_that_it_lives(server, path):
    server.fill(heavy=True)
    server.fill(heavy=False)
    assert server.client.get(path).status == 200


def test_metrics_say_how_full_the_lanes_are(server):
    server.fill(heavy=False)
    check_busy(server.post(LONG))
    text = server.client.get("/metrics").text
    assert 'kms_work_running{lane="light"} 1.0' in text
    assert 'kms_work_waiting{lane="light"} 1.0' in text
    assert 'kms_work_refused_total{lane="light"} 1.0' in text
    assert 'kms_work_running{lane="heavy"} 0.0' in text
