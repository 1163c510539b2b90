"""Which chain the next transaction gets, by how the one before it ended."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.audit.chain import NOTHING, ChainHead
from kms_tornado.audit.record import Origin, make_draft
from kms_tornado.errors import InvalidField, Unavailable
from kms_tornado.store.postgres.audit_leases import ChainLeases
from kms_tornado.store.postgres.transaction import ConnectionLost, Disturbed
from kms_tornado.store.sql.audit.chains import AuditChains, ChainTaken, Lease

from ..helpers import AUTHENTICATOR

NOTED = [([make_draft(Origin(None, None, None, None), "Get")], {})]
LEASE = Lease("session", ChainHead(1, 5, "00" * 32))


@pytest.fixture
def leases():
    leases = ChainLeases(AuditChains(AUTHENTICATOR))
    leases.keep(LEASE)
    return leases


def test_chain_that_was_used_last_is_used_next(leases):
    leases.keep(other := Lease("other", ChainHead(2, 0, NOTHING)))
    with leases.use() as first, leases.use() as second, leases.use() as third:
        assert (first.lease, second.lease, third.lease) == (other, LEASE, None)
    with leases.use() as again:
        assert again.lease == other


def test_committed_transaction_leaves_the_head_behind_its_records(leases):
    with leases.use() as chain:
        move, *others = chain.make_commands(NOTED)
        assert not others
        chain.note_committed()
    with leases.use() as chain:
        assert chain.lease.head.seq == 6
    assert move[1][1:4] == [6, chain.lease.head.hash, 1]


def fail(leases, error):
    """A transaction that ends with the error."""
    with leases.use() as chain:
        if chain.lease is None:
            chain.claim(None)
        chain.make_commands(NOTED)
        raise error


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        pytest.param(Disturbed(ValueError()), True, id="rolled back: deadlock"),
        pytest.param(InvalidField("a value"), True, id="rolled back: a value"),
        pytest.param(ConnectionLost(ValueError(), may_be_done=True), False, id="nobody knows"),
        pytest.param(Unavailable("no answer"), False, id="no answer"),
        pytest.param(asyncio.CancelledError(), False, id="cancelled"),
        pytest.param(ChainTaken(), False, id="taken"),
    ],
)
def test_chain_whose_head_is_in_doubt_is_given_up(leases, error, is_kept):
    with pytest.raises(type(error)):
        fail(leases, error)
    with leases.use() as chain:
        assert chain.lease == (LEASE if is_kept else None)
    if isinstance(error, ChainTaken):
        assert error.lease == LEASE


def test_chain_that_was_claimed_in_a_transaction_is_gone_with_it():
    class Chains(AuditChains):
        def claim(self, runner, held=()):
            return LEASE

    leases = ChainLeases(Chains(AUTHENTICATOR))
    with pytest.raises(InvalidField):
        fail(leases, InvalidField("a value"))
    assert not leases.has_idle
    with leases.use() as chain:
        chain.claim(None)
    assert leases.has_idle
