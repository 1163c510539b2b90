"""What a server keeps on disk: its data directory, its database, its master key."""

from __future__ import annotations

import base64
import os
import resource
import stat
import threading

import pytest

from ...server import CREATE, NO_AUTH, ServerProcess, check_refused, run, serving


def new_key():
    return base64.b64encode(os.urandom(32)).decode()


def test_data_directory_and_its_files_are_ours_alone(tmp_path):
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        server.client.create("x")
        data = tmp_path / "kms-data"
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        names = {path.name for path in data.iterdir()}
        assert {"kms.db", "master.key", "audit.key", "audit-anchor.json"} <= names
        assert {stat.S_IMODE((data / name).stat().st_mode) for name in names} == {0o600}
        assert "back it up" in server.log


def test_data_survives_kill_9(tmp_path):
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        uids = [server.client.create("x") for _ in range(5)]
        before = [server.client.get_key("x", uid).body for uid in uids]
        server.kill()
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert [server.client.get_key("x", uid).body for uid in uids] == before
        assert "made a new master key" not in server.log


def test_two_servers_on_one_data_directory_serve_each_others_keys(tmp_path):
    with serving(*NO_AUTH, cwd=tmp_path) as one, serving(*NO_AUTH, cwd=tmp_path) as two:
        first, second = one.client.create("x"), two.client.create("x")
        assert two.client.get_key("x", first).status == 200
        assert one.client.get_key("x", second).status == 200


def test_two_servers_that_start_at_once_agree_on_one_master_key(tmp_path):
    servers = [ServerProcess(*NO_AUTH, cwd=tmp_path) for _ in range(2)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        uid = servers[0].client.create("x")
        assert servers[1].client.get_key("x", uid).status == 200
    finally:
        assert [server.stop() for server in servers] == [0, 0]


@pytest.fixture(scope="module")
def used_data_dir(tmp_path_factory):
    """A data directory whose database belongs to a master key that was given in a file."""
    directory = tmp_path_factory.mktemp("used")
    key = directory / "key"
    key.touch(0o600)
    key.write_text(new_key())
    with serving(*NO_AUTH, "--master-key-file", "key", cwd=directory) as server:
        server.client.create("x")
    return directory


def test_the_right_master_key_is_taken_from_the_environment(used_data_dir):
    key = (used_data_dir / "key").read_text()
    with serving(*NO_AUTH, cwd=used_data_dir, env={"KMS_MASTER_KEY": key}) as server:
        assert server.client.create("x")
        assert key not in server.log


@pytest.mark.parametrize(
    ("argv", "variables", "words"),
    [
        pytest.param((), {"KMS_MASTER_KEY": new_key()}, "not the one", id="another key"),
        pytest.param((), {"KMS_MASTER_KEY": "c2hvcnQ="}, "5 bytes", id="too short"),
        pytest.param((), {"KMS_MASTER_KEY": "no base64!"}, "not base64", id="no base64"),
        pytest.param((), {}, "no such file", id="none, and none is made"),
        pytest.param(("--master-key-file", "open"), {}, "open to others", id="open to others"),
        pytest.param(("--master-key-file", "gone"), {}, "no such file", id="named file is gone"),
        pytest.param(
            ("--master-key-file", "key"), {"KMS_MASTER_KEY": new_key()}, "not together", id="both"
        ),
    ],
)
def test_wrong_master_key_ends_the_start_before_listening(used_data_dir, argv, variables, words):
    (used_data_dir / "open").write_text(new_key())
    (used_data_dir / "open").chmod(0o644)
    finished = run(*NO_AUTH, *argv, "--port", "0", cwd=used_data_dir, **variables)
    line = check_refused(finished, 2)
    assert words in line
    source = "environment" if variables and not argv else "flag" if argv else "not set"
    name = "KMS_MASTER_KEY" if source == "environment" else "--master-key-file"
    assert name in line
    assert f"({source})" in line
    assert "listening" not in finished.stderr
    for secret in (*variables.values(), (used_data_dir / "key").read_text()):
        assert secret not in finished.stderr
    assert not (used_data_dir / "kms-data" / "master.key").exists()


def test_full_disk_is_503_and_loses_nothing(tmp_path):
    no_large_files = {resource.RLIMIT_FSIZE: (300_000, 300_000)}
    created, statuses = [], []
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        created.append(server.client.create("x"))
    with ServerProcess(*NO_AUTH, cwd=tmp_path, limits=no_large_files) as server:
        for _ in range(600):
            answer = server.client.kmip("x", CREATE)
            statuses.append(answer.status)
            if answer.status == 200:
                created.append(answer.json()["value"][1]["value"])
                continue
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            break
        assert statuses[-1] == 503
        assert server.client.get_key("x", created[0]).status == 200  # reading goes on
        assert server.client.get("/health").status == 200
        assert server.stop() == 0
        assert "Traceback" not in server.log
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert all(server.client.get_key("x", uid).status == 200 for uid in created)
        assert server.client.kmip("x", CREATE).status == 200


def test_deleted_database_is_503_and_not_ready(tmp_path):
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        uid = server.client.create("x")
        assert server.client.get("/ready").status == 200
        (tmp_path / "kms-data" / "kms.db").unlink()
        assert server.client.get_key("x", uid).status == 503
        assert server.client.kmip("x", CREATE).status == 503
        answer = server.client.get("/ready")
        assert answer.status == 503
        assert answer.json()["checks"]["database"]["state"] == "DOWN"
        assert server.client.get("/health").status == 200
        assert server.stop() == 0
        assert "Traceback" not in server.log
