"""What others on the host can read of the server's processes: not their environment, and no memory."""

from __future__ import annotations

import base64
import ctypes
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ...server import CREATE, NO_AUTH, ROOT, ServerProcess, environment, eventually, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and prctl are Linux's")

KEY = base64.b64encode(bytes(range(32))).decode()
SECRETS = {
    "KMS_MASTER_KEY": KEY,
    "KMS_MASTERKEY": "misspelt-" + KEY,
    "KMS_TOKEN": "eyJ-a-token",
    "PGPASSWORD": "a-password-of-libpq",
    "https_proxy": "http://user:a-password-of-a-proxy@127.0.0.1:1",
    "no_proxy": "127.0.0.1",
}


def run_python(code: str, **variables: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def processes_of(server: ServerProcess) -> list[int]:
    """The server's process, and its workers'."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def why_not_as_nobody() -> str | None:
    """Why no process of this source can be started as another user."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return "only root starts processes as another user, by setpriv"
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in ROOT.parents):
        return "the source is in a folder of root's alone"
    return None


@pytest.fixture(scope="module", params=[1, 2], ids="{} workers".format)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One with secrets in its environment, of another user where that can be; once all of its processes run."""
    directory = tmp_path_factory.mktemp("hardened")
    wrapper = []
    if why_not_as_nobody() is None:
        os.chown(directory, 65534, 65534)
        wrapper = as_nobody()
    argv, variables = (*NO_AUTH, "--workers", str(request.param)), {**SECRETS, "LEFT_ALONE": "yes"}
    with serving(*argv, cwd=directory, env=variables, cold=True, wrapper=wrapper) as server:
        eventually(lambda: len(processes_of(server)) == (1 if request.param == 1 else 3))
        yield server


def test_no_secret_of_the_environment_is_left_in_any_process(server: ServerProcess) -> None:
    for pid in processes_of(server):
        content = read_environment(pid)
        assert b"LEFT_ALONE=yes" in content, "this is the environment"
        for secret in (KEY, "eyJ-a-token", "a-password-of-libpq", "a-password-of-a-proxy"):
            assert secret.encode() not in content


def test_secrets_of_the_environment_are_used_all_the_same(
    server: ServerProcess, tmp_path: Path
) -> None:
    assert server.client.kmip("x", CREATE).status == 200
    shutil.copytree(server.cwd / "kms-data", tmp_path / "kms-data")  # which is ours then
    with serving(*NO_AUTH, cwd=tmp_path, env={"KMS_MASTER_KEY": KEY}):
        pass  # or it would refuse a database of another master key


def as_nobody() -> list[str]:
    """The words before a command that run it as another user, who may read files, so that Python starts."""
    if (why_not := why_not_as_nobody()) is not None:
        pytest.skip(why_not)
    may_read = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *may_read, "--"]


def may_nobody_read(path: str) -> bool:
    command = [*as_nobody(), "dd", f"if={path}", "of=/dev/null", "count=1"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_process_of_the_same_user_cannot_read_the_server(server: ServerProcess) -> None:
    as_nobody()  # or it is skipped
    for pid in processes_of(server):
        assert os.stat(f"/proc/{pid}/status").st_uid == 0
        for name in ("environ", "maps", "auxv"):
            assert not may_nobody_read(f"/proc/{pid}/{name}")


def test_process_of_the_same_user_can_read_every_other_one() -> None:
    """The twin of the test above."""
    command = [*as_nobody(), sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as other:
        for name in ("environ", "maps", "auxv"):
            eventually(partial(may_nobody_read, f"/proc/{other.pid}/{name}"))


def test_every_process_is_not_dumpable_and_dumps_no_core() -> None:
    code = (
        "import ctypes, os, resource\n"
        "from kms_tornado.web.process.hardening import harden_process\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "before = prctl(3, 0, 0, 0, 0)\n"
        "harden_process()\n"
        "child = os.fork()\n"
        "print(before, prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE), flush=True)\n"
        "child and os.waitpid(child, 0)\n"
    )
    assert run_python(code) == "1 0 (0, 0)\n" * 2


def test_variables_are_gone_for_the_process_and_its_children_but_not_those_of_libraries() -> None:
    code = (
        "import ctypes, os, subprocess\n"
        "from kms_tornado.web.process.hardening import hide_variables\n"
        "hide_variables()\n"
        "getenv = ctypes.CDLL(None).getenv\n"
        "getenv.restype = ctypes.c_char_p\n"
        "print('KMS_MASTER_KEY' in os.environ, getenv(b'KMS_MASTER_KEY'), getenv(b'PGPASSWORD'))\n"
        "print(subprocess.run(['env'], capture_output=True, text=True).stdout.count('KMS_'))\n"
        "print(os.environ['https_proxy'], os.environ['PATH'] == getenv(b'PATH').decode())\n"
    )
    assert run_python(code, **SECRETS) == (
        f"False None {SECRETS['PGPASSWORD'].encode()!r}\n0\n{SECRETS['https_proxy']} True\n"
    )


def test_value_is_hidden_whatever_stands_beside_it() -> None:
    """A value with =, an empty one, one of another's name at its end, and one that is no UTF-8."""
    code = (
        "import os\n"
        "from kms_tornado.web.process.hardening import hide_variables\n"
        "hide_variables()\n"
        "print(open('/proc/self/environ', 'rb').read())\n"
    )
    odd = os.fsdecode(b"\xff-secret")
    shown = run_python(
        code, KMS_A="secret=secret", KMS_B="", KMS_C=odd, NOT_KMS_D="KMS_A=kept", KMS="kept as well"
    )
    assert "secret" not in shown
    assert "NOT_KMS_D=KMS_A=kept" in shown
    assert "KMS=kept as well" in shown


def test_application_that_embeds_the_kms_keeps_its_environment_and_its_dumpability(
    tmp_path: Path,
) -> None:
    code = (
        "import asyncio, ctypes, os\n"
        "import kms_tornado\n"
        "async def main():\n"
        "    kms = kms_tornado.handlers(\n"
        f"        data_dir={str(tmp_path)!r}, master_key=os.environ['KMS_MASTER_KEY'])\n"
        "    async with kms:\n"
        "        print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), os.environ['KMS_MASTER_KEY'])\n"
        "asyncio.run(main())\n"
    )
    assert run_python(code, KMS_MASTER_KEY=KEY) == f"1 {KEY}\n"


def test_this_process_was_not_hardened_by_any_test() -> None:
    """Tests run servers of this very process; only the command hardens its own."""
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 1
    assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
