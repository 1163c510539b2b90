"""The README does what it says: its commands, its code, its words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kms_tornado import errors, options
from kms_tornado.web.app import ROUTES

from . import support_table
from .issuer import Issuer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    """The README's one code block in this language that has the text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return found


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def dev_server(tmp_path: Path):
    """`python -m kms_tornado --dev` as the README starts it, on a free port: (url, alice's token)."""
    command = block("sh", "--dev").split("&&")[1].split()
    assert command == ["python", "-m", "kms_tornado", "--dev"]
    process = subprocess.Popen(
        [sys.executable, *command[1:], "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        printed = ""
        while "curl " not in printed:
            line = process.stdout.readline()
            assert line, "the server ended"
            printed += line
        yield (
            re.search(r"(http://\S+)/kmip_2_1", printed)[1],
            re.search(r"^eyJ\S+", printed, re.M)[0],
        )
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_client_example_prints_the_plaintext(dev_server: tuple[str, str]) -> None:
    url, token = dev_server
    # Flushed by hand: the client's threads may abort the interpreter at exit (KMIP.md §17).
    code = block("python", "KmsClient") + "\nimport sys; sys.stdout.flush(); os._exit(0)\n"
    done = run_python(code, KMS_URL=url, KMS_TOKEN=token)
    assert done.stdout == "b'pay 12 EUR'\n", done.stderr


def test_embedding_example_serves_a_user_and_refuses_strangers() -> None:
    with Issuer() as issuer:
        code = block("python", "from_issuer").replace("https://tenant.eu.auth0.com/", issuer.uri)
        code = code.replace("app.listen(8888)", "app.listen(0, '127.0.0.1'); await check(app)")
        code = code.replace("        await asyncio.Event().wait()\n", "")
        check = f"""
            from tornado.httpclient import AsyncHTTPClient
            from tornado.netutil import bind_sockets

            async def check(app):
                (sock,) = bind_sockets(0, "127.0.0.1")
                server = tornado.httpserver.HTTPServer(app)
                server.add_socket(sock)
                url = f"http://127.0.0.1:{{sock.getsockname()[1]}}/orders"
                for method, body, token in (
                    ("GET", None, {issuer.token(aud="my-api")!r}),
                    ("POST", "", {issuer.token(aud="my-api")!r}),
                    ("POST", "", {issuer.token(aud="my-api", scope="orders:write")!r}),
                    ("GET", None, {issuer.token(aud="another-api")!r}),
                ):
                    answer = await AsyncHTTPClient().fetch(
                        url, method=method, body=body, raise_error=False,
                        headers={{"Authorization": "Bearer " + token}},
                    )
                    print(answer.code)
            import tornado.httpserver
        """
        done = run_python(textwrap.dedent(check) + code)
    assert done.stdout.split() == ["200", "403", "201", "401"], done.stderr


def test_embedding_example_is_about_ten_lines_for_a_handler() -> None:
    code = block("python", "from_issuer")
    protected = code[code.index("auth =") : code.index("async def main")]
    assert len([line for line in protected.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize(
    "words",
    sorted(
        {
            word
            for cls in vars(errors).values()
            if isinstance(cls, type)
            and issubclass(cls, errors.AuthenticationError)
            and cls not in {errors.AuthenticationError, errors.InvalidToken}
            for word in [cls.description.removeprefix("token ")]
        }
    ),
)
def test_every_refusal_is_explained(words: str) -> None:
    assert words in README


def test_tables_are_the_server_s_own() -> None:
    """``python -m tests.support_table`` writes them."""
    assert support_table.rewritten(README) == README


@pytest.mark.parametrize("path", [route[0] for route in ROUTES])
def test_every_route_is_listed(path: str) -> None:
    path = path.replace("(.+)", "{uid}")
    assert f"`{path}`" in README or f"GET `{path}`" in README or f"{path}`" in README


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_linked_file_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_ci_runs_the_readme_s_test_command() -> None:
    assert block("sh", "tox -e").strip() in (ROOT / ".ci/run").read_text()


def test_several_issuers_are_configured_as_shown(tmp_path: Path) -> None:
    file = tmp_path / "kms.toml"
    file.write_text(block("toml", "jwt-auth-provider"))
    trust = options.parse(["-c", str(file)], {}).settings.trust
    assert trust is not None
    assert [issuer.uri for issuer in trust.issuers] == [
        "https://login.example.com/",
        "https://partner.example.org",
    ]
    assert trust.policy.namespace_by_issuer
