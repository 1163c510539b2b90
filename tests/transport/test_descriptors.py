"""How many connections the limit of file descriptors leaves room for."""

from __future__ import annotations

import contextlib
import resource

import pytest

from kms_tornado.transport import descriptors

from ..server import CREATE, NO_AUTH, eventually, serving
from .silent_clients import is_answered, silent


@pytest.mark.parametrize(
    ("limit", "in_use", "free"),
    [
        (1024, 24, 1024 - 24 - 96),
        (20_000, 50, 20_000 - 50 - 96),
        (128, 28, 128 - 28 - 32),
        (40, 28, 2),
        (30, 28, 1),  # never none: somebody may still be served
    ],
)
def test_connections_leave_descriptors_to_the_database_and_the_issuers(
    monkeypatch, limit, in_use, free
):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    assert descriptors.count_free(in_use) == free


def test_unlimited_is_a_large_number(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert descriptors.count_free(100) > 10**9


def test_limit_that_the_system_does_not_raise_stays(monkeypatch):
    def refuse(which, limits):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    before = descriptors.read_limit()
    descriptors.raise_limit()
    assert descriptors.read_limit() == before


def test_open_descriptors_are_counted():
    before = descriptors.count_open()
    with open("/dev/null"):
        assert descriptors.count_open() == before + 1


def test_server_raises_the_soft_limit_and_says_in_one_line_what_it_cannot_reach(tmp_path):
    limits = {resource.RLIMIT_NOFILE: (64, 160)}
    with (
        serving(*NO_AUTH, "--workers", "2", cwd=tmp_path, limits=limits) as server,
        silent(server.port, 400),
    ):
        said = [line for line in server.output["stderr"] if "descriptors" in line]
        assert len(said) == 1
        assert "--max-connections 4096: the limit of 160 file descriptors leaves room" in said[0]
        eventually(lambda: is_answered(server))
        eventually(lambda: creates(server))


def creates(server):
    """Whether it can use its database. False for one of the newcomers that are refused meanwhile."""
    with contextlib.suppress(OSError):
        return server.client.kmip("x", CREATE).status == 200
    return False


def test_number_that_can_be_reached_is_not_talked_about(tmp_path):
    with serving(*NO_AUTH, "--max-connections", "100", cwd=tmp_path) as server:
        assert "descriptors" not in server.log
