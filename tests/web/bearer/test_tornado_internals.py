"""A release of Tornado that lost a name we rely on is found at start, not by a request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tornado
from tornado import (
    http1connection,
    httpserver,
    httputil,
    iostream,
    simple_httpclient,
    tcpclient,
    web,
)

from kms_tornado import BearerAuth, handlers
from kms_tornado.errors import ConfigurationError
from kms_tornado.web.bearer.tornado_internals import (
    FAST_ROUTES,
    SERVER,
    TOKEN_LAYER,
    InternalName,
    check_tornado,
)

ALL = TOKEN_LAYER + FAST_ROUTES + SERVER
MODULES = {
    m.__name__: m
    for m in (http1connection, httpserver, httputil, iostream, simple_httpclient, tcpclient, web)
}


def full_name(internal: InternalName) -> str:
    return f"{internal.owner}.{internal.name}".removesuffix(".")


def remove(internal: InternalName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a class in the owner's place that lacks the one name."""
    module, _, class_name = internal.owner.rpartition(".")
    owner = getattr(MODULES[module], class_name)
    if not internal.name:
        monkeypatch.delattr(MODULES[module], class_name)
        return
    without = {name: value for name, value in vars(owner).items() if name != "__dict__"}
    if internal.assigned_in is None:
        del without[internal.name]
    else:
        without[internal.assigned_in] = lambda self: None
    bare = type(class_name, (), {n: v for n, v in without.items() if n != "__weakref__"})
    monkeypatch.setattr(MODULES[module], class_name, bare)


def test_installed_tornado_has_every_name() -> None:
    check_tornado(ALL)


@pytest.mark.parametrize("internal", ALL, ids=full_name)
def test_missing_name_is_named_with_the_version_of_tornado(
    internal: InternalName, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(internal, monkeypatch)
    with pytest.raises(ConfigurationError) as refused:
        check_tornado((internal,))
    assert f"it has no {full_name(internal)} ({internal.why})" in str(refused.value)
    assert f"Tornado {tornado.version} " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_token_layer_does_not_start_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tcpclient.TCPClient, "_create_stream")
    with pytest.raises(ConfigurationError, match=r"TCPClient\._create_stream"):
        BearerAuth.from_issuer("https://issuer.example/", audience="a")


def test_token_layer_alone_does_not_ask_for_the_server_s_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(http1connection.HTTP1Connection, "set_body_timeout")
    BearerAuth.from_issuer("https://issuer.example/", audience="a")
    with pytest.raises(ConfigurationError, match=r"HTTP1Connection\.set_body_timeout"):
        handlers()


@pytest.mark.parametrize(
    "removal",
    [
        "del tornado.simple_httpclient._HTTPConnection",
        "del tornado.http1connection.HTTP1Connection.set_body_timeout",
        "del tornado.tcpclient.TCPClient._create_stream",
    ],
)
def test_server_ends_with_one_line_and_exit_code_2(removal: str, tmp_path: Path) -> None:
    script = f"""
import sys, tornado.simple_httpclient, tornado.http1connection, tornado.tcpclient
{removal}
from kms_tornado.__main__ import main
sys.exit(main(["--insecure-no-auth", "--port", "0", "--data-dir", {str(tmp_path / "data")!r}]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 2, ended.stderr
    (line,) = [row for row in ended.stderr.splitlines() if row.startswith("kms-tornado:")]
    assert f"Tornado {tornado.version}" in line
    assert removal.rpartition(".")[2] in line
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists(), "nothing was made before the check"
