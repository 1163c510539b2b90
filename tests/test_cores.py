"""How many cores a process may use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kms_tornado.cores import count_cores

ALL = len(os.sched_getaffinity(0))


def make_groups(tmp_path, **quotas):
    """A tree of control groups; quotas: {"pod_app": its cpu.max}, "" is the root."""
    for name, text in quotas.items():
        group = tmp_path / "groups" / name.replace("_", "/")
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.max").write_text(text)
    membership = tmp_path / "cgroup"
    membership.write_text("12:pids:/elsewhere\n0::/pod/app\n")
    return tmp_path / "groups", membership


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        pytest.param({}, ALL, id="none"),
        pytest.param({"pod_app": "max 100000\n"}, ALL, id="unlimited"),
        pytest.param({"pod_app": "50000 100000\n"}, 1, id="half a core"),
        pytest.param({"pod_app": "100000 100000\n"}, 1, id="one core"),
        pytest.param({"pod_app": "max 100000\n", "pod": "20000 100000\n"}, 1, id="around it"),
        pytest.param({"pod_app": "99900000 100000\n"}, ALL, id="more than there are"),
        pytest.param({"pod_app": "nonsense\n"}, ALL, id="nonsense"),
        pytest.param({"pod_app": "1 0\n"}, ALL, id="no period"),
        pytest.param({"other": "50000 100000\n"}, ALL, id="of another group"),
    ],
)
def test_quota_of_the_control_group_counts(tmp_path, quotas, cores):
    assert count_cores(*make_groups(tmp_path, **quotas)) == cores


def test_quota_of_more_than_a_core_counts_as_two(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8))
    assert count_cores(*make_groups(tmp_path, pod_app="150000 100000\n")) == 2


def test_without_control_groups_the_cores_of_the_affinity_count(tmp_path):
    assert count_cores(tmp_path / "absent", tmp_path / "absent") == ALL
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from kms_tornado.cores import count_cores; print(count_cores())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
