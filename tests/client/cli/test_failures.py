"""Everything that can go wrong: one line on stderr that says what to do, and the exit code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from kms_tornado import errors
from kms_tornado.client import KMSClient, repeats
from kms_tornado.client import errors as client_errors
from kms_tornado.client.cli import server
from kms_tornado.client.cli.failures import describe_failure
from kms_tornado.client.login import login_errors  # noqa: F401 - its exceptions are among the client's
from kms_tornado.errors import KMIPError

from ...rows import each_row
from ..faulty import UNAVAILABLE, Scripted, answer, refusal
from .conftest import ALICE, Place
from .runner import COMMAND, ROOT, Kmsctl


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BACKOFF_S", 0)
    monkeypatch.setattr(repeats, "JITTER_S", 0)
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda seconds: None)


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path, {"KMS_TOKEN": "a-token"})


# --- no connection: 3 ---------------------------------------------------------------------------


def test_no_server_is_no_connection(kmsctl: Kmsctl) -> None:
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        outcome = kmsctl("server-version", "--url", url)
    assert (outcome.code, outcome.stdout) == (3, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"kmsctl: no connection to {url}: ")


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        pytest.param(UNAVAILABLE, 3, "try again in a while", id="503"),
        pytest.param(answer("<h1>Bad Gateway</h1>", "502 Bad Gateway"), 3, "502", id="502 of a proxy"),
        pytest.param(answer("<html>", "200 OK"), 3, "no JSON", id="a page"),
        pytest.param(answer("", "302 Found", {"Location": "https://sso.example/"}), 3,
                     "https://sso.example", id="redirect"),
        pytest.param(refusal("403 Forbidden", "a scope is missing"), 1, "a scope is missing", id="403"),
        pytest.param(refusal("413 Too Large", "at most 5 bytes"), 1, "at most 5 bytes", id="413"),
        pytest.param(answer("Item_Not_Found: no \x1b[31mkey\x1b[0m", "422 Unprocessable Entity"), 1,
                     "Item_Not_Found: no", id="422"),
    ],
)  # fmt: skip
def test_answer_decides_the_exit_code(kmsctl: Kmsctl, reply: bytes, code: int, words: str) -> None:
    with Scripted(reply) as scripted:
        outcome = kmsctl("server-version", "--url", scripted.url)
    assert (outcome.code, outcome.stdout) == (code, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("kmsctl: ")
    assert words in line
    assert "\x1b" not in line


# --- refused: 1 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["KMS_TOKEN", "KMSCTL_ACCESS_TOKEN"])
@pytest.mark.parametrize(
    ("claims", "wrong"),
    [
        pytest.param({"aud": "kms", "iat": -7200, "exp": -3600}, "the token has expired", id="expired"),
        pytest.param({"aud": "another"}, "the server does not accept the token: ", id="of another"),
    ],
)  # fmt: skip
def test_token_of_a_variable_that_is_refused_says_which_variable_to_set(
    place: Place, kmsctl: Kmsctl, variable: str, claims: dict[str, Any], wrong: str
) -> None:
    now = time.time()
    claims = {name: value if name == "aud" else now + value for name, value in claims.items()}
    token = place.issuer.token(sub=ALICE, **claims)
    outcome = kmsctl("ls", KMS_URL=place.url, **{"KMS_TOKEN": "", variable: token})
    assert outcome.code == 1
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"kmsctl: {wrong}")
    assert line.endswith(f": set {variable} anew, or unset it and run kmsctl login")


def test_expired_token_of_the_file_says_to_log_in(place: Place, kmsctl: Kmsctl) -> None:
    now = time.time()
    token = place.issuer.token(sub=ALICE, aud="kms", iat=now - 7200, exp=now - 3600)
    file = kmsctl.home / "ckms.toml"
    file.write_text(f'[http_config]\nserver_url = "{place.url}"\naccess_token = "{token}"\n')
    file.chmod(0o600)
    outcome = kmsctl("ls", "--conf", file, KMS_TOKEN="")
    assert outcome.code == 1
    assert outcome.stderr == "kmsctl: the token has expired: run kmsctl login\n"


def test_no_token_says_to_log_in(place: Place, kmsctl: Kmsctl) -> None:
    outcome = kmsctl("ls", KMS_URL=place.url, KMS_TOKEN="")
    assert outcome.code == 1
    assert outcome.stderr.endswith(": run kmsctl login, or set KMS_TOKEN\n")


def test_bad_token_is_not_shown(place: Place, kmsctl: Kmsctl) -> None:
    token = place.issuer.token(sub=ALICE, aud="another")
    outcome = kmsctl("ls", KMS_URL=place.url, KMS_TOKEN=token)
    assert outcome.code == 1
    assert "audience not accepted" in outcome.stderr
    assert token not in outcome.stderr


def test_refused_operation_names_its_reason(alice: Kmsctl) -> None:
    outcome = alice("attributes", "get", "no-such-key")
    assert (outcome.code, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("kmsctl: Item_Not_Found: ")


# --- configuration: 2 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        pytest.param('[http_config\nserver_url = "x"', 0o600, "TOML", id="broken"),
        pytest.param('[http_config]\nserver_url = 5', 0o600, "server_url", id="wrong type"),
        pytest.param('[http_config]\nserver_url = "ftp://x"', 0o600, "http", id="no URL"),
        pytest.param('[http_config]\nserver_url = "http://x"\naccess_token = "t"', 0o664,
                     "chmod 600", id="for others to change"),
    ],
)  # fmt: skip
def test_configuration_that_is_none_is_refused(
    kmsctl: Kmsctl, tmp_path: Path, text: str, mode: int, words: str
) -> None:
    file = tmp_path / "kmsctl.toml"
    file.write_text(text)
    file.chmod(mode)
    outcome = kmsctl("server-version", "--conf", file)
    assert (outcome.code, outcome.stdout) == (2, "")
    (line,) = outcome.stderr.splitlines()
    assert words in line


def test_configuration_that_is_not_there_is_refused(kmsctl: Kmsctl, tmp_path: Path) -> None:
    outcome = kmsctl("server-version", "--conf", tmp_path / "none.toml")
    assert outcome.code == 2
    assert "none.toml" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


# --- the way out --------------------------------------------------------------------------------


def test_ctrl_c_ends_with_130_and_without_a_traceback(kmsctl: Kmsctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [*COMMAND, "server-version", "--url", url],
            # urllib3 leaves the connection to the end of the process, of which only a developer hears
            env=kmsctl.environment(PYTHONWARNINGS=""),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = silent.accept()  # it waits for the answer now
        with connection:
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, stderr) == (130, "", "\n")


def test_closed_pipe_is_no_error(alice: Kmsctl) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*COMMAND, "completion", "bash"], env=alice.environment(), stdout=write_end,
        stderr=subprocess.PIPE, text=True, check=False, timeout=30,
    )  # fmt: skip
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_name_that_the_character_set_lacks_is_escaped(alice: Kmsctl, client: KMSClient) -> None:
    key = client.create_symmetric_key(name="κλειδί")
    outcome = alice.process("attributes", "get", key, "-a", "Name", PYTHONIOENCODING="latin-1")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.output == b"\\u03ba\\u03bb\\u03b5\\u03b9\\u03b4\\u03af\n"


def test_missing_rich_is_told_where_a_table_is_wanted(
    alice: Kmsctl, client: KMSClient, tmp_path: Path
) -> None:
    client.create_symmetric_key()
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('none', name='rich')")
    outcome = alice.terminal("ls", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert outcome.code == 1
    assert outcome.stdout == (
        "kmsctl: the package rich is not installed: pip install 'kms-tornado[client]'\n"
    )


def test_mistake_in_kmsctl_itself_is_one_line_too(
    kmsctl: Kmsctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise KeyError("a-token")

    monkeypatch.setattr(server, "show_value", fail)
    with Scripted(answer('"0.1.0"')) as scripted:
        outcome = kmsctl("server-version", "--url", scripted.url)
    assert outcome.code == 1
    (line,) = outcome.stderr.splitlines()
    assert "unexpected KeyError" in line
    assert "a-token" not in line
    with Scripted(answer('"0.1.0"')) as scripted, pytest.raises(KeyError):
        kmsctl("server-version", "--url", scripted.url, KMSCTL_TRACEBACK="1")


def _subclasses(base: type[Exception]) -> list[type[Exception]]:
    found = [base]
    for cls in base.__subclasses__():
        found += _subclasses(cls)
    return found


KINDS = [
    *_subclasses(client_errors.ClientError),
    # One class a reason. What derives from these elsewhere is the server's, and its line is that of its base.
    *(cls for cls in _subclasses(KMIPError) if cls.__module__.startswith(f"{errors.__name__}.")),
    errors.ConfigurationError,
]


@each_row("kind", KINDS, ids=lambda cls: cls.__name__)
def test_every_exception_of_the_client_has_its_line(kind: type[Exception]) -> None:
    needs_more = kind.__init__ is client_errors.ConnectionFailed.__init__
    error = kind("what\nis wrong", is_outcome_known=True) if needs_more else kind("what\nis wrong")
    line, code = describe_failure(error)
    assert code in (1, 2, 3)
    assert "\n" not in line
    assert "unexpected" not in line


@pytest.mark.parametrize(
    "argv",
    [
        ("encrypt", "FILE", "--for", "\udcff"),
        ("encrypt", "FILE", "--tag", "\udcff"),
        ("attributes", "get", "\udcff"),
        ("locate", "--name", "\udcff"),
        ("create", "\udcff"),
        ("share", "\udcff", "bob@example.com", "get"),
        ("share", "a-key", "\udcff", "get"),
        ("create", "a-name", "--tag", "\udcff"),
        ("locate", "--tag", "\udcff"),
        ("audit", "--principal", "\udcff"),
        ("secret-data", "create", "--value", "\udcff"),
    ],
    ids=lambda argv: " ".join(argv).replace("\udcff", "ÿ"),
)
def test_argument_that_is_not_utf_8_is_told(
    alice: Kmsctl, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    (tmp_path / "f").touch()
    outcome = alice(*(str(tmp_path / "f") if word == "FILE" else word for word in argv))
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.endswith("a text of the request is not UTF-8: nothing was sent\n")


# --- files --------------------------------------------------------------------------------------


@each_row(
    "argv",
    [
        ("batch", "FILE"),
        ("hash", "FILE"),
        ("hash", "FILE", "--init-indicator"),
        ("sym", "keys", "import", "FILE"),
        ("sym", "keys", "import", "-", "--password-file", "FILE"),
        ("derive-key", "--salt", "00", "--password-file", "FILE"),
    ],
)
def test_file_that_cannot_be_read_is_named(alice: Kmsctl, argv: tuple[str, ...]) -> None:
    unreadable = "/proc/self/mem"  # it opens, and its first page is nobody's
    outcome = alice(*(unreadable if word == "FILE" else word for word in argv))
    assert outcome.code in {1, 2}
    assert outcome.stderr.startswith(f"kmsctl: {unreadable}"), outcome.stderr
    assert "Input/output error" in outcome.stderr


@each_row(
    "argv",
    [
        ("sym", "keys", "import", ""),
        ("sym", "keys", "import", "-", "--password-file", ""),
        ("secret-data", "create", "--value-file", ""),
        ("rsa", "sign-verify", "--key-id", "a-key", "", ""),
        ("encrypt", "", "--for", "a-key"),
        ("rsa", "sign", "--key-id", "a-key", ""),
        ("rsa", "sign", "--key-id", "a-key", "."),
    ],
)
def test_name_that_is_no_files_is_told(alice: Kmsctl, argv: tuple[str, ...]) -> None:
    outcome = alice(*argv)
    assert outcome.code in {1, 2}
    (line,) = outcome.stderr.splitlines()
    assert "the name of a file is empty" in line or "no output can be named after" in line


# --- --kmip-json --------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--kmip-json", "--print-json", "--kms-print-json"])
def test_requests_and_answers_are_shown_on_stderr_without_the_token(
    alice: Kmsctl, option: str
) -> None:
    outcome = alice("locate", option)
    assert outcome.code == 0
    assert outcome.stderr.startswith('request:\n{\n  "tag": "Locate"')
    assert 'answer:\n{\n  "tag": "LocateResponse"' in outcome.stderr
    assert alice.variables["KMS_TOKEN"] not in outcome.stderr
    assert alice.variables["KMS_TOKEN"].split(".")[2] not in outcome.stderr
    assert "answer" not in outcome.stdout


@pytest.mark.parametrize("status", ["200 OK", "422 No"])
def test_nonsense_is_shown_as_it_is(kmsctl: Kmsctl, status: str) -> None:
    with Scripted(answer("[" * 100_000 + "]" * 100_000, status)) as scripted:
        outcome = kmsctl("locate", "--kmip-json", "--url", scripted.url)
    assert outcome.code == 3
    assert "answer:\n[[[" in outcome.stderr
    assert "unexpected" not in outcome.stderr.splitlines()[-1]


def test_long_refusal_is_cut(kmsctl: Kmsctl) -> None:
    with Scripted(answer("Item_Not_Found: " + "x" * 1_000_000, "422 No")) as scripted:
        outcome = kmsctl("locate", "--url", scripted.url)
    assert outcome.code == 1
    assert len(outcome.stderr) < 1200


def test_refusals_are_shown_too(alice: Kmsctl) -> None:
    outcome = alice("attributes", "get", "no-such-key", "--kmip-json")
    assert "answer:\nItem_Not_Found: " in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith("kmsctl: Item_Not_Found")
