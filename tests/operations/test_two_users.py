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
from ..store.conftest import DATABASES, postgres_or_skip
from .inside import BOB
from .two_users import requests as r
from .two_users.machine import machine
from .two_users.world import World

#: What the machine may grant in each run.
PROFILES = {"weak rights": r.RIGHTS, "strong rights": r.STRONG_RIGHTS}


@pytest.fixture(params=DATABASES)
def place(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path
    return postgres_or_skip(postgres.empty_database)


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


@pytest.mark.parametrize(("policy", "profile"), [("permissive", "weak rights"), ("conservative", "strong rights")])  # fmt: skip
def test_no_sequence_gives_more_than_was_granted(place, policy, profile):
    steps, done = run(place, policy, PROFILES[profile], examples=8, length=20)
    assert steps >= 80
    assert {"ENCRYPT", "GET_ATTRIBUTES"} <= {operation for user, operation in done if user == BOB}


@pytest.mark.soak
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("policy", ["permissive", "conservative"])
def test_no_long_sequence_does_either(place, policy, profile):
    """Each of the eight runs makes 20,000 steps by itself, and every operation succeeds in it for bob, too."""
    steps, done = run(place, policy, PROFILES[profile], examples=700, length=40)
    print(f"\n{policy}, {profile}: {steps} steps")
    for (user, operation), number in sorted(done.items()):
        print(f"  {user:5} {operation:20} {number:6}")
    assert steps >= 20_000
    expected = {"ENCRYPT", "MAC", "GET", "DERIVE_KEY", "DECRYPT", "LOCATE", "IMPORT", "RE_KEY", "GET_ATTRIBUTES"}  # fmt: skip
    assert expected <= {operation for user, operation in done if user == BOB}
