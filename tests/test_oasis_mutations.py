"""Messages of the profiles' cases with a part or two of them changed: each gets an answer, none a 500.

The cases make the objects that the mutants then meet, so that these come as far as operations,
ciphers and database. With ``-m soak`` all cases and many mutants of each message.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.tables import ENUMERATIONS
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, children_of

from .kmip_items import Item
from .kms import KMS, User, two_issuers
from .oasis import CASES, KMIP1_CASES
from .oasis_case import Differs, read_case, run_case

OPTIONS = ("--crypto-policy", "permissive", "--kmip-interop")

ALL = [*CASES, *KMIP1_CASES]

#: A few cases of every kind; one second in all.
SOME = [
    path
    for path in ALL
    if path.stem.endswith("-1-21")
    or path.stem.startswith(("TC_132_10", "TC_171_12", "TC_313_12", "CS-AC-M-1-14", "TC_91_10"))
]

#: Indices from the root down.
Place = tuple[int, ...]


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with (
        two_issuers() as issuers,
        KMS(tmp_path_factory.mktemp("kms"), *issuers, options=OPTIONS) as server,
    ):
        yield server


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_changed_message_is_answered(kms, path):
    run_with_mutants(kms, path, mutants=4)


@pytest.mark.soak
@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_many_changed_messages_are_answered(kms, path):
    run_with_mutants(kms, path, mutants=50)


def run_with_mutants(kms: KMS, path: Path, mutants: int) -> None:
    rng = random.Random(path.stem)  # the same ones in every run
    with contextlib.closing(kms.user(f"mutant of {path.stem}, {mutants}")) as user:

        def send(request: Item) -> Item:
            message, _ = json_codec.parse(json.dumps(request).encode())
            for _ in range(mutants):
                check_answer(exchange(user, mutant(message, rng)))
            answer = json_codec.format(exchange(user, message), Dialect.OASIS_UNTYPED)
            found: Item = json.loads(answer)
            return found

        # A mutant may have taken what the case goes on with: then it ends here.
        with contextlib.suppress(Differs):
            run_case(read_case(path), send)


def exchange(user: User, message: Node) -> Node:
    """Anything else than 200 with a tree of TTLV fails the test."""
    return binary_codec.parse(user.send_binary(binary_codec.format(message)))


def check_answer(answer: Node) -> None:
    assert answer.tag == "ResponseMessage"
    for item in children_of(answer)[1:]:
        tags = {child.tag for child in children_of(item)}
        assert "ResultStatus" in tags
        assert ("ResultReason" in tags) == ("ResultMessage" in tags)


# --- mutants ------------------------------------------------------------------------------------


def mutant(message: Node, rng: random.Random) -> Node:
    """One to three parts of the payloads changed, left out, or given twice."""
    for _ in range(rng.randint(1, 3)):
        places = [place for place in places_of(message, ()) if len(place) > 1]
        place = rng.choice(places)
        part = at(message, place)
        change = rng.random()
        if change < 0.6 and not isinstance(part.value, tuple):
            new = [part._replace(value=STRANGE[part.type](part, rng))]
        elif change < 0.75:
            new = []
        elif change < 0.85:
            new = [part, part]
        else:  # something from elsewhere in the message
            new = [part, at(message, rng.choice(places))]
        message = replaced(message, place, new)
    return message


def places_of(node: Node, place: Place) -> Iterator[Place]:
    yield place
    for index, child in enumerate(children_of(node)):
        yield from places_of(child, (*place, index))


def at(node: Node, place: Place) -> Node:
    for index in place:
        node = children_of(node)[index]
    return node


def replaced(node: Node, place: Place, new: list[Node]) -> Node:
    index, *rest = place
    children = list(children_of(node))
    children[index : index + 1] = [replaced(children[index], tuple(rest), new)] if rest else new
    return node._replace(value=tuple(children))


def _integer(node: Node, rng: random.Random) -> int:
    value = int(node.value) ^ (1 << rng.randrange(31))
    return rng.choice([0, 1, -1, 7, 2**31 - 1, -(2**31), max(-(2**31), min(value, 2**31 - 1))])


def _big_integer(node: Node, rng: random.Random) -> int:
    value = int(node.value)
    return rng.choice([0, 1, -1, 2, value + 1, -value, value ^ 1, 2**16000])


def _enumeration(node: Node, rng: random.Random) -> int:
    known = ENUMERATIONS.get(node.tag)
    return rng.choice([0, 2**32 - 1, 0x80000001, *(list(known.oasis) * 2 if known else [])])


def _text(node: Node, rng: random.Random) -> str:
    value = str(node.value)
    return rng.choice(["", "[", "[]", '["a"]', "%", "é\u2028\r\n", "x" * 70_000, value + "x"])


def _octets(node: Node, rng: random.Random) -> bytes:
    value = bytes(node.value)
    flipped = bytes([value[0] ^ 1]) + value[1:] if value else b"\1"
    return rng.choice([b"", flipped, value[:-1], value + b"\0", bytes(70_000), rng.randbytes(32)])


def _date(node: Node, rng: random.Random) -> int:
    return rng.choice([0, -1, 2**31, 2**63 - 1, -(2**63), 253402300800, -62135596801])


STRANGE: dict[ItemType, Callable[[Node, random.Random], int | str | bytes]] = {
    ItemType.INTEGER: _integer,
    ItemType.LONG_INTEGER: lambda _, rng: rng.choice([0, -1, 2**63 - 1, -(2**63)]),
    ItemType.BIG_INTEGER: _big_integer,
    ItemType.ENUMERATION: _enumeration,
    ItemType.BOOLEAN: lambda node, _: not node.value,
    ItemType.TEXT_STRING: _text,
    ItemType.BYTE_STRING: _octets,
    ItemType.DATE_TIME: _date,
    ItemType.INTERVAL: lambda _, rng: rng.choice([0, 1, 2**32 - 1]),
    ItemType.DATE_TIME_EXTENDED: _date,
}
