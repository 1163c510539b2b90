"""The KMS below a path of another application."""

from __future__ import annotations

from tornado.web import Application

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth

from ..support import running


def test_mounted_kms_that_is_not_open_says_so_and_is_no_fault(tmp_path):
    kms = handlers("/kms", auth=InsecureNoAuth("somebody"), data_dir=tmp_path / "data")
    with running(lambda: Application(kms)) as client:
        answer = client.get("/kms/whoami")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    with running(lambda: Application(kms), kms) as client:
        assert client.get("/kms/whoami").json()["name"] == "somebody"
        assert client.get("/kms/ready").status == 200
    with running(lambda: Application(kms)) as client:  # it was open before
        answer = client.get("/kms/ready")
        assert (answer.status, answer.json()["checks"]["database"]["cause"]) == (503, "not started")
    with running(lambda: Application(kms), kms) as client:
        assert client.get("/kms/ready").status == 200
