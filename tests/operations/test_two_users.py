"""Two users and a database writer: what nobody reaches who was not granted get, export or decrypt (Hypothesis).

From any sequence of operations of alice (the owner), of bob and of somebody who writes to the database:

1. no byte of a Sensitive or not Extractable key reaches bob, nor anything that determines it;
2. nothing that alice encrypted reaches him, and no block of key stream is taken twice, whoever asks;
3. no key is used beyond its usage mask, dates, limit or state;
4. after an edit of any column of any table, each operation answers as before the edit or fails loud.

`tests/operations/two_users` has the parts, `test_two_users_examples` what they found, move by move. To replay
an old row of an object is left to the audit chain, which an example there documents.

The soak (``python -m pytest -m soak tests/operations/test_two_users.py -s``) prints how many steps it made.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from .. import postgres
from ..store.conftest import DATABASES
from .inside import BOB
from .two_users import requests as r
from .two_users.machine import machine
from .two_users.world import World

#: The policy of the server, and what alice may grant.
RUNS = pytest.mark.parametrize(
    ("policy", "rights"),
    [
        pytest.param("permissive", r.RIGHTS, id="permissive, no get nor export nor decrypt"),
        pytest.param("conservative", r.STRONG_RIGHTS, id="conservative, any right"),
    ],
)


@pytest.fixture(params=DATABASES)
def place(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path
    return postgres.empty_database()


def run(place, policy, rights, *, examples, length):
    """How many steps were made, and how often each user succeeded with each operation."""
    steps, done = [0], Counter()
    with World(place, policy) as world:
        run_state_machine_as_test(
            machine(world, rights, steps, done),
            settings=settings(
                max_examples=examples,
                stateful_step_count=length,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return steps[0], done


@RUNS
def test_no_sequence_gives_more_than_was_granted(place, policy, rights):
    steps, done = run(place, policy, rights, examples=8, length=20)
    assert steps >= 80
    assert {"ENCRYPT", "GET_ATTRIBUTES"} <= {operation for user, operation in done if user == BOB}


@pytest.mark.soak
@RUNS
def test_no_long_sequence_does_either(place, policy, rights):
    """Each run makes 20,000 steps by itself, and what it tries succeeds often enough to mean something."""
    steps, done = run(place, policy, rights, examples=800, length=40)
    print(f"\n{policy}: {steps} steps")
    for (user, operation), number in sorted(done.items()):
        print(f"  {user:5} {operation:20} {number:6}")
    assert steps >= 20_000
    expected = {"ENCRYPT", "MAC", "SIGN", "GET", "EXPORT", "DERIVE_KEY", "LOCATE", "IMPORT", "RE_KEY", "REVOKE", "GET_ATTRIBUTES"}  # fmt: skip
    assert expected <= {operation for user, operation in done if user == BOB}
