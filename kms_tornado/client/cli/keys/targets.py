"""The object of a dangerous command, looked up before the person is asked for a confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....errors import ItemNotFound
from ....kmip.attributes import Attributes
from ....kmip.enums import ObjectType, State
from ...calls.arguments import find_value
from ..key_names import use_key
from ..session import Session

_TYPES = {
    ObjectType.CERTIFICATE: "certificate",
    ObjectType.SYMMETRIC_KEY: "symmetric key",
    ObjectType.PUBLIC_KEY: "public key",
    ObjectType.PRIVATE_KEY: "private key",
    ObjectType.SECRET_DATA: "secret",
    ObjectType.OPAQUE_OBJECT: "opaque object",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The object of the command.

    identifier: the one in the request; never tags, which may mean something else a moment later.
    text: a description for people.
    """

    identifier: str
    text: str
    state: State | None


def find_target(session: Session, name: str | None, tags: Sequence[str]) -> Target:
    """The named object, with its description. Raises ItemNotFound."""
    try:
        attributes: Attributes = use_key(session, name, tags, session.client.get_attributes)
    except ItemNotFound:
        target = _find_obtained(session, name)
        if target is None:
            raise
        return target
    uid = attributes.unique_identifier or name or ""
    return Target(uid, describe_object(uid, attributes), attributes.state)


def _find_obtained(session: Session, identifier: str | None) -> Target | None:
    """Another user's object on which the caller has rights, but may not look at it."""
    for obtained in session.client.list_obtained():
        if obtained.unique_identifier == identifier:
            text = f"the object {identifier} (of {obtained.owner}, {obtained.state})"
            return Target(identifier, text, find_value(State, obtained.state))
    return None


def describe_object(uid: str, attributes: Attributes) -> str:
    """A description such as: the symmetric key 1f0c… (Name billing, AES of 256 bits, Active)."""
    kind = _TYPES.get(attributes.object_type or ObjectType.OPAQUE_OBJECT, "object")
    details = [f"Name {name.name_value}" for name in attributes.names]
    algorithm, length = attributes.cryptographic_algorithm, attributes.cryptographic_length
    if algorithm is not None:
        details.append(algorithm.name + (f" of {length} bits" if length else ""))
    if attributes.state is not None:
        details.append(format_state(attributes.state))
    return f"the {kind} {uid}" + (f" ({', '.join(details)})" if details else "")


def format_state(state: State | None) -> str:
    """The state as KMIP spells it."""
    return state.name.replace("_", "-").title() if state is not None else "in an unknown state"
