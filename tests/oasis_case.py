"""One case of the profiles against a running server, message by message, compared structurally.

Fields are found by tag and not by place. A variable is bound where it first occurs. Recorded values that no
server can know (generated keys and what follows from them) are compared by their length and by being the
same throughout. Lists in answers to Query may be longer than recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.tables import ENUMERATIONS, MASKS
from kms_tornado.kmip.ttlv import Dialect

from .kmip_items import Item
from .oasis import VARIABLE, leaves, read_messages

#: Cases that continue one another under one owner.
SERIES = ("TL-M", "SASED-M")

#: Listed by Query in four cases and used by none: not offered here, so not claimed.
NOT_HERE = {
    "Cancel", "Certify", "CreateSplitKey", "JoinSplitKey", "Notify", "Poll", "Put", "ReCertify",
    "SetEndpointRole", "CertificateRequest", "PGPKey", "SplitKey", "Template", "Validate",
}  # fmt: skip

#: Structures whose content is each server's own.
OWN = {"RandomNumberGenerator", "ServerInformation"}

#: The same, by the name that they have in KMIP 1.
OWN_ATTRIBUTES = {"Random Number Generator", "Lease Time"}

IGNORED = {
    "AttributeIndex", "ClientCorrelationValue", "ResultMessage", "ServerCorrelationValue", "TimeStamp",
}  # fmt: skip

#: Parent → what the specification lets a server add there and the recording server did not.
OPTIONAL = {"ResponsePayload": {"LocatedItems"}, "KeyValue": {"Attributes"}}

#: The same in the answers of KMIP 1 to a request for all attributes, or for the names of all.
MORE_ATTRIBUTES = {"Attribute", "AttributeName"}

_NUMBER_LEEWAY = 16  # digits

CLOCK_S = 60  # by how much a date may be off $NOW


class Differs(Exception):
    pass


@dataclass
class Case:
    """One case as it runs: variables found so far, and recorded values with what took their place.

    has_generated_keys: made by the server, so that what follows from them cannot be as recorded.
    """

    pairs: list[tuple[Item, Item]]
    has_generated_keys: bool
    variables: dict[str, Any] = field(default_factory=dict)
    stand_ins: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        #: What was in a request so far.
        self.sent: set[str] = set()
        #: RSA-OAEP, PSS and IVs of the server: what comes out of Encrypt and Sign differs from time to time.
        self.is_padded_at_random = any(
            (leaf["tag"] == "PaddingMethod" and leaf["value"] in {"OAEP", "PSS"})
            or (leaf["tag"] == "RandomIV" and leaf["value"])
            for request, _ in self.pairs
            for leaf in leaves(request)
        )
        self.is_random = self.has_generated_keys
        self.asks_for_all = False
        #: Tag in lower case → what it last held in an answer.
        self.answered: dict[str, Any] = {}

    def next_request(self, request: Item) -> Item:
        """The request as it is to be sent; what it says is from then on no secret of the server's."""
        filled = self.filled(request)
        operations = {leaf["value"] for leaf in leaves(request) if leaf["tag"] == "Operation"}
        self.is_random = self.has_generated_keys or (
            self.is_padded_at_random and not operations.isdisjoint({"Encrypt", "Sign"})
        )
        self.sent |= {str(leaf["value"]).lower() for leaf in leaves(filled)}
        self.asks_for_all = any(map(asks_for_all, request["value"]))
        return filled

    def filled(self, item: Item) -> Item:
        """The item with its variables replaced, and what an answer gave in place of a recorded value."""
        value = item["value"]
        if isinstance(value, list):
            return {**item, "value": [self.filled(child) for child in value]}
        if isinstance(value, str) and (found := VARIABLE.fullmatch(value)):
            name, offset = found.groups()
            return {**item, "value": when(offset) if name == "NOW" else self._bound(name)}
        if item["type"] == "ByteString":
            return {**item, "value": self.stand_ins.get(value.lower(), value)}
        return item

    def _bound(self, name: str) -> Any:
        """The variable's value, which may have stood in an answer without its name."""
        if name in self.variables:
            return self.variables[name]
        return self.answered[re.sub(r"_\d+$", "", name).replace("_", "").lower()]

    def compare(self, expected: Item, actual: Item, where: str = "") -> None:
        where = f"{where}/{expected['tag']}"
        if not isinstance(expected["value"], list):
            if expected.get("type") != actual.get("type"):
                raise Differs(f"{where} is a {actual.get('type')}")
            self._compare_value(expected, actual, where)
            return
        if not isinstance(actual["value"], list):
            raise Differs(f"{where} is no structure")
        if expected["tag"] in OWN:
            return
        if expected["tag"] == "Attribute" and expected["value"][0]["value"] in OWN_ATTRIBUTES:
            if expected["value"][0] != actual["value"][0]:
                raise Differs(f"{where} is another attribute")
            return
        if expected["tag"] == "ResponseMessage":  # the order of its items counts
            for one, other in zip(expected["value"], actual["value"], strict=False):
                self.compare(one, other, where)
            return  # the BatchCount was compared with the header
        wanted = [each for each in expected["value"] if each["tag"] not in IGNORED]
        left = [each for each in actual["value"] if each["tag"] not in IGNORED]
        is_query = expected["tag"] == "ResponsePayload" and bool(
            where.count("Query") or where.count("DiscoverVersions")
        )
        for child in wanted:
            if is_query and child["tag"] in {"ServerInformation", "VendorIdentification"}:
                continue
            if is_query and str(child["value"]) in NOT_HERE:
                continue
            left.remove(self._partner(child, left, where))
        optional = OPTIONAL.get(expected["tag"], set())
        if self.asks_for_all and expected["tag"] == "ResponsePayload":
            optional = optional | MORE_ATTRIBUTES
        extra = {each["tag"] for each in left} - optional
        if extra and not is_query:
            unasked = [str(each["value"])[:200] for each in left if each["tag"] in extra]
            raise Differs(f"{where} has {', '.join(sorted(extra))} besides: {unasked}")

    def _partner(self, wanted: Item, left: list[Item], where: str) -> Item:
        """The first of the items that is as wanted; what is bound on the way stays bound."""
        lacking = Differs(f"{where} lacks {wanted['tag']} {wanted['value']!r:.160}")
        difference, candidates = lacking, [each for each in left if each["tag"] == wanted["tag"]]
        for each in candidates:
            before = dict(self.variables), dict(self.stand_ins)
            try:
                self.compare(wanted, each, where)
            except Differs as exc:
                self.variables, self.stand_ins = before
                difference = exc
            else:
                return each
        raise difference if len(candidates) == 1 else lacking

    def _compare_value(self, expected: Item, actual: Item, where: str) -> None:
        tag, wanted, found = expected["tag"], expected["value"], actual["value"]
        if isinstance(wanted, str) and (variable := VARIABLE.fullmatch(wanted)):
            name, offset = variable.groups()
            if name == "NOW":
                is_same = abs(moment(found) - moment(when(offset))) < timedelta(seconds=CLOCK_S)
            else:
                is_same = self.variables.setdefault(name, found) == found
        elif actual["type"] == "Enumeration" and (numbers := ENUMERATIONS.get(tag)):
            is_same = numbers.number(wanted) == numbers.number(found)
        elif tag in MASKS or (tag == "AttributeValue" and actual["type"] == "Integer"):
            is_same = set(str(wanted).split("|")) == set(str(found).split("|"))
        elif actual["type"] == "DateTime":
            is_same = moment(wanted) == moment(found) or self._stands_in(wanted, found)
        elif actual["type"] == "LongInteger":
            is_same = wanted == int(found, 16)
        elif actual["type"] in {"ByteString", "BigInteger"}:
            # Numbers that begin with a bit that is set have zeros before them, which count in DER, too.
            is_number = tag == "KeyMaterial" or actual["type"] == "BigInteger"
            leeway = _NUMBER_LEEWAY if is_number else 0
            is_same = wanted.lower() == found.lower() or (
                abs(len(wanted) - len(found)) <= leeway and self._stands_in(wanted.lower(), found)
            )
        elif tag == "LeaseTime":
            is_same = True
        else:
            is_same = wanted == found
        if not is_same:
            raise Differs(f"{where}: {found!r:.80} instead of {wanted!r:.80}")

    def _stands_in(self, recorded: Any, found: Any) -> bool:
        """A recorded value that no server can know: the same one in its place throughout."""
        if recorded in self.sent or not self.is_random:
            return False
        return bool(self.stand_ins.setdefault(recorded, found) == found)


def asks_for_all(item: Item) -> bool:
    """Whether the batch item asks for all attributes of an object, or for their names."""
    fields = {each["tag"]: each["value"] for each in item["value"]}
    if fields.get("Operation") not in {"GetAttributes", "GetAttributeList"}:
        return False
    return all(each["tag"] != "AttributeName" for each in fields["RequestPayload"])


def when(offset: str | None) -> str:
    return (datetime.now(UTC) + timedelta(seconds=int(offset or 0))).isoformat(timespec="seconds")


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


# --- a case, run --------------------------------------------------------------------------------

#: A request as JSON TTLV to its answer as JSON TTLV.
Send = Callable[[Item], Item]


def over_octets(exchange: Callable[[bytes], bytes]) -> Send:
    """A transport of binary TTLV as one of JSON. exchange: a message to its answer."""

    def send(request: Item) -> Item:
        asked, _ = json_codec.parse(json.dumps(request).encode())
        answer = binary_codec.parse(exchange(binary_codec.format(asked)))
        found: Item = json.loads(json_codec.format(answer, Dialect.OASIS_UNTYPED))
        return found

    return send


def read_case(path: Path) -> Case:
    messages = read_messages(path)
    series = series_of(path)
    before = path.parent.glob(f"{series}*.xml") if series else [path]
    has_generated_keys = any(makes_keys(each) for file in before for each in read_messages(file))
    return Case(list(zip(messages[::2], messages[1::2], strict=True)), has_generated_keys)


def makes_keys(message: Item) -> bool:
    return message["tag"] == "RequestMessage" and any(
        leaf["tag"] == "Operation"
        and str(leaf["value"]).startswith(("Create", "ReKey", "RNGRetrieve"))
        for leaf in leaves(message)
    )


def run_case(case: Case, send: Send) -> None:
    """Raises Differs with the step, its operations, the difference, and what the server said."""
    for step, (request, expected) in enumerate(case.pairs):
        operations = "+".join(
            child["value"]
            for item in request["value"]
            for child in item["value"]
            if child["tag"] == "Operation"
        )
        actual = send(case.next_request(request))
        case.answered |= {leaf["tag"].lower(): leaf["value"] for leaf in leaves(actual)}
        try:
            case.compare(expected, actual, f"step {step} {operations}: ")
        except Differs as exc:
            said = [leaf["value"] for leaf in leaves(actual) if leaf["tag"] == "ResultMessage"]
            raise Differs(f"{exc} ({'; '.join(said)})" if said else str(exc)) from None


def owner_of(path: Path, encoding: str) -> str:
    """Nobody else's objects, but for the cases that continue one another."""
    return f"owner of {path.parent.name} {series_of(path) or path.stem} ({encoding})"


def series_of(path: Path) -> str | None:
    stem = path.stem.replace("_", "-")
    series = next((each for each in SERIES if stem.startswith(each)), None)
    return series and path.stem[: len(series)]
