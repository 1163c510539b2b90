"""The command: what it prints, and its exit code where it does not come to serving."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .server import (
    NO_AUTH,
    Client,
    check_refused,
    environment,
    eventually,
    free_port,
    run,
    serving,
    warm_servers,
)

#: A master key.
KEY = base64.b64encode(bytes(range(32))).decode()


def test_version_prints_name_and_version(tmp_path):
    finished = run("--version", cwd=tmp_path)
    assert finished.returncode == 0
    assert re.fullmatch(r"kms-tornado \d+\.\d+\.\d+\S*\n", finished.stdout)


def test_help_names_flags_and_their_variables(tmp_path):
    finished = run("--help", cwd=tmp_path)
    assert finished.returncode == 0
    for word in ("--jwt-issuer-uri", "KMS_JWT_ISSUER_URI", "token issuer", "storage"):
        assert word in finished.stdout


def test_print_config_names_each_source_and_makes_no_data(tmp_path):
    finished = run(*NO_AUTH, "--print-config", cwd=tmp_path, KMS_PORT="4711", KMS_MASTER_KEY=KEY)
    assert finished.returncode == 0
    lines = finished.stdout.splitlines()
    assert all(re.fullmatch(r"(# )?\S+ = .*  # (flag|environment|file|default)", x) for x in lines)
    assert "port = 4711  # environment" in lines
    assert KEY not in finished.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param((), ("--jwt-issuer-uri", "--insecure-no-auth"), id="nobody to trust"),
        pytest.param((*NO_AUTH, "--port", "99999"), ("--port (flag)",), id="out of range"),
        pytest.param(
            (*NO_AUTH, "--prot", "1"), ("--prot (flag)", "unknown option"), id="unknown flag"
        ),
        pytest.param(
            (*NO_AUTH, "audit", "verify"),
            ("'audit' (flag): a command stands before all options",),
            id="command behind options",
        ),
        pytest.param(
            (*NO_AUTH, "--hostname", "0.0.0.0"), ("--hostname (flag)",), id="not loopback"
        ),
        pytest.param(
            (*NO_AUTH, "-c", "nothing.toml"), ("--config (flag)", "nothing.toml"), id="no file"
        ),
        pytest.param(
            (*NO_AUTH, "--data-dir", "/dev/null"), ("--data-dir (flag)", "not a dir"), id="no dir"
        ),
        pytest.param(
            (*NO_AUTH, "--database-url", "oracle://u:hunter2@h/d"),
            ("--database-url (flag)",),
            id="database of another kind",
        ),
        pytest.param(
            (*NO_AUTH, "--database-url", "oracle://u:hunter2@h/d", "--print-config"),
            ("--database-url (flag)", "neither sqlite"),
            id="database of another kind, effective configuration asked for",
        ),
        pytest.param(
            ("--jwt-issuer-uri", "https://i.example", "--hostname", "no-such-host.invalid"),
            ("--hostname (flag)", "no-such-host.invalid"),
            id="not a host",
        ),
    ],
)
def test_bad_configuration_is_one_line_and_exit_code_2(tmp_path, argv, words):
    line = check_refused(run(*argv, cwd=tmp_path), 2)
    for word in words:
        assert word in line
    assert "hunter2" not in line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_warnings_stand_before_no_refusal_of_the_configuration(tmp_path, workers):
    """They would hide the one line that says what to change."""
    (tmp_path / "bad").write_text("something else\n")
    files = ("--tls-cert-file", "bad", "--tls-key-file", "bad")
    argv = (*NO_AUTH, *files, "--port", "0", "--workers", workers)
    done = run(*argv, cwd=tmp_path, KMS_PROT="1")
    assert (
        check_refused(done, 2)
        == "kms-tornado: --tls-cert-file (flag): bad: holds no PEM certificate"
    )


def test_warnings_stand_before_other_failures(tmp_path):
    argv = ("--jwt-issuer-uri", "https://i.example", "--hostname", "203.0.113.7", "--port", "0")
    done = run(*argv, cwd=tmp_path, KMS_PROT="1")
    warning, *_, line = done.stderr.splitlines()
    assert "KMS_PROT (environment): unknown variable" in warning
    assert "203.0.113.7" in line
    assert done.returncode == 1


def test_address_that_this_machine_may_still_get_is_one_line_and_exit_code_1(tmp_path):
    argv = ("--jwt-issuer-uri", "https://i.example", "--hostname", "203.0.113.7", "--port", "0")
    line = check_refused(run(*argv, cwd=tmp_path), 1)
    assert "203.0.113.7" in line
    assert "Cannot assign" in line


@pytest.mark.parametrize(
    "argv",
    [
        ("--master-key-file", "no/dir/key"),
        ("--audit-key-file", "no/dir/key"),
        ("--audit-log", "no/dir/log"),
        ("--database-url", "sqlite:////dev/null/x.db"),
        ("--master-key-file", "pkcs11:token=x;object=y?module-path=/no/such.so&pin-value=1"),
        ("--data-dir", "a/b/c", "--audit-log", "no/dir/log"),
        ("--audit-log", "no/dir/log", "--workers", "2"),
    ],
    ids=" ".join,
)
def test_refused_start_leaves_no_database_and_no_directory(tmp_path, argv):
    check_refused(run(*NO_AUTH, *argv, "--port", "0", cwd=tmp_path), 2)
    assert list(tmp_path.iterdir()) == []


def test_start_without_its_database_leaves_none_that_a_restore_would_refuse(tmp_path):
    """The anchor tells that one is lost."""
    with serving(*NO_AUTH, cwd=tmp_path):
        assert run("backup", "kept", cwd=tmp_path).returncode == 0
    for file in tmp_path.glob("kms-data/kms.db*"):
        file.unlink()
    before = sorted(tmp_path.rglob("*"))
    check_refused(run(*NO_AUTH, "--port", "0", cwd=tmp_path), 2)
    assert sorted(tmp_path.rglob("*")) == before
    assert run("restore", "kept", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--jwks-ca-file", "bad"), ("--jwks-ca-file (flag)", "CA file bad")),
        (("--jwt-deny-file", "bad"), ("--jwt-deny-file (flag)", "line 1")),
        (("--master-key-file", "bad"), ("--master-key-file (flag)", "base64")),
        (("--audit-key-file", "bad"), ("--audit-key-file (flag)", "PEM")),
        (("--tls-cert-file", "bad", "--tls-key-file", "bad"), ("--tls-cert-file (flag)", "PEM")),
        ((), ("KMS_MASTER_KEY (environment)", "base64")),
    ],
)
def test_file_that_cannot_be_used_is_one_line_and_leaves_nothing_behind(tmp_path, argv, words):
    """With --print-config, too, by which people have checked what they wrote."""
    bad = tmp_path / "bad"
    bad.write_text("something else\n")
    bad.chmod(0o600)
    variables = {} if argv else {"KMS_MASTER_KEY": "something else"}
    trusting = ("--jwt-issuer-uri", "https://i.example", "--jwt-audience", "kms", "--port", "0")
    for more in ((), ("--print-config",)):
        finished = run(*trusting, *argv, *more, cwd=tmp_path, **variables)
        line = check_refused(finished, 2)
        assert finished.stderr == f"{line}\n"
        for word in words:
            assert word in line
        assert list(tmp_path.iterdir()) == [bad]


def test_database_that_is_out_of_reach_is_one_line_and_exit_code_1(tmp_path):
    url = "postgresql://kms:hunter2@127.0.0.1:1/kms"
    line = check_refused(run(*NO_AUTH, "--database-url", url, cwd=tmp_path), 1)
    assert "postgresql://kms:***@127.0.0.1:1/kms" in line
    assert "refused" in line
    assert "hunter2" not in line


def test_files_that_hold_something_else_are_named_with_their_option(tmp_path):
    (tmp_path / "odd").write_text("no database, and no certificate either\n" * 100)
    odd = str(tmp_path / "odd")
    line = check_refused(run(*NO_AUTH, "--database-url", f"sqlite:///{odd}", cwd=tmp_path), 2)
    assert "--database-url (flag)" in line
    assert odd in line
    argv = ("--jwt-issuer-uri", "https://i.example", "--jwks-ca-file", odd, "--port", "0")
    line = check_refused(run(*argv, cwd=tmp_path), 2)
    assert "--jwks-ca-file (flag)" in line
    assert odd in line


def test_bad_variable_is_named_with_its_source(tmp_path):
    line = check_refused(run(*NO_AUTH, cwd=tmp_path, KMS_PORT="x"), 2)
    assert "KMS_PORT" in line
    assert "environment" in line


FULL = Path("/dev/full")  # whatever is written there, its disk is full
IS_THERE = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")


#: What is printed on stdout and is all that was asked for; --help is longer than what is held back until the end.
PRINTED = [
    pytest.param(("--version",), id="version"),
    pytest.param(("--help",), id="help"),
    pytest.param(("backup", "--help"), id="help of a command"),
    pytest.param((*NO_AUTH, "--print-config"), id="configuration"),
]


@IS_THERE
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", PRINTED)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(tmp_path, argv, unbuffered):
    with FULL.open("w") as full:
        finished = run_python(*argv, cwd=tmp_path, stdout=full, PYTHONUNBUFFERED=unbuffered)
    assert finished.returncode == 1
    assert finished.stderr == "kms-tornado: stdout cannot be written: No space left on device\n"


@pytest.mark.parametrize("argv", PRINTED)
def test_output_that_was_closed_is_one_line_and_exit_code_1(tmp_path, argv):
    finished = run_closed(*argv, cwd=tmp_path)
    assert finished.returncode == 1
    assert finished.stderr == "kms-tornado: stdout cannot be written: Bad file descriptor\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", PRINTED)
def test_output_that_nobody_reads_is_no_failure(tmp_path, argv, unbuffered):
    with nobody_reads() as pipe:
        finished = run_python(*argv, cwd=tmp_path, stdout=pipe, PYTHONUNBUFFERED=unbuffered)
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("closed", [False, True])
def test_dev_that_cannot_tell_how_to_reach_it_ends_and_says_why(tmp_path, closed):
    argv = ("--dev", "--port", "0", "--kmip-port", "0")
    if closed:
        finished = run_closed(*argv, cwd=tmp_path)
    else:
        with nobody_reads() as pipe:
            finished = run_python(*argv, cwd=tmp_path, stdout=pipe)
    assert finished.returncode == 1
    why = "Bad file descriptor" if closed else "Broken pipe"
    last = finished.stderr.splitlines()[-1]
    assert last == f"kms-tornado: stdout cannot be written: {why}"


def test_server_needs_no_stdout(tmp_path):
    """A service manager may start it without one; what it opens first does not get that number."""
    finished = run_closed(*NO_AUTH, "--data-dir", "/dev/null", cwd=tmp_path)
    assert finished.returncode == 2
    assert "--data-dir (flag)" in finished.stderr


@contextlib.contextmanager
def nobody_reads():
    """The end of a pipe of which the other end is closed."""
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as pipe:
        yield pipe


def run_closed(*argv, cwd):
    """Without stdout."""
    return subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "kms_tornado", *argv],
        cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip


@IS_THERE
def test_refusal_that_cannot_be_written_keeps_its_exit_code(tmp_path):
    with FULL.open("w") as full:
        finished = run_python("--port", "x", cwd=tmp_path, stderr=full)
    assert finished.returncode == 2


@IS_THERE
def test_log_that_cannot_be_written_ends_no_server(tmp_path):
    port = free_port()
    with FULL.open("w") as full:
        argv = [*NO_AUTH, "--port", str(port)]
        server = warm_servers().start(argv, tmp_path, full.fileno())
    client = Client(port)

    def is_up():
        assert server.poll() is None
        with contextlib.suppress(ConnectionRefusedError):
            return client.get("/health").status == 200

    try:
        assert eventually(is_up)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()


def test_output_that_has_another_encoding_is_no_mistake(tmp_path):
    argv = (*NO_AUTH, "--default-username", "Zoë", "--print-config")
    finished = run_python(*argv, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert finished.returncode == 0
    assert 'default-username = "Zo\\xeb"  # flag' in finished.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_stop_before_there_is_a_server_is_a_clean_one(tmp_path, number):
    with reading_its_file([], tmp_path) as (process, pipe):
        process.send_signal(number)
        pipe.close()  # it may have been about to read, which no signal ends then
        assert (process.wait(30), process.stderr.read()) == (0, "")


def test_sighup_before_there_is_a_server_ends_nothing(tmp_path):
    with reading_its_file([], tmp_path) as (process, pipe):
        process.send_signal(signal.SIGHUP)
        pipe.write(b"[kms]\nprot = 1\n")
        pipe.close()
        assert process.wait(30) == 2
        assert "prot" in process.stderr.read()


def test_command_that_is_interrupted_before_it_runs_says_so(tmp_path):
    with reading_its_file(["verify"], tmp_path) as (process, pipe):
        process.send_signal(signal.SIGINT)
        pipe.close()
        assert (process.wait(30), process.stderr.read()) == (1, "kms-tornado: interrupted\n")


LOADING = """
import os, signal, sys
from kms_tornado.__main__ import main

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "kms_tornado.program":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
sys.exit(main(["--version"]))
"""


def test_interrupt_while_the_program_is_loaded_is_no_traceback(tmp_path):
    """Its shell tells 130, as for every program that Ctrl-C ends."""
    finished = subprocess.run(
        [sys.executable, "-c", LOADING], cwd=tmp_path, env=environment(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (finished.returncode, finished.stdout, finished.stderr) == (-signal.SIGINT, "", "")


@contextlib.contextmanager
def reading_its_file(argv, tmp_path):
    """(a process that waits for more of its configuration file, the other end of that)."""
    os.mkfifo(tmp_path / "pipe.toml")
    process = warm_servers().start([*argv, "-c", "pipe.toml"], tmp_path)
    # A pipe opens once its reader has opened it.
    with process.stdout, process.stderr, open(tmp_path / "pipe.toml", "wb", 0) as pipe:
        try:
            yield process, pipe
        finally:
            process.kill()


def run_python(*argv, cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **variables):
    """A process of its own: how Python ends is part of it."""
    return subprocess.run(
        [sys.executable, "-m", "kms_tornado", *argv],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        timeout=60,
    )
