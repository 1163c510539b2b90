"""`kmsctl attributes get|set|modify|delete`: with ckms's flags, and NAME=VALUE for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..key_names import Key, use_key
from ..output import Cell, json_text, say, show_json, show_table, show_value
from ..parameters import KMIPName
from ..root import Group
from ..session import Session
from .attribute_options import (
    attributes_from_flags,
    id_options,
    name_object,
    read_attribute,
    read_reference,
    split_words,
    value_options,
)

if TYPE_CHECKING:
    from ....kmip.attribute_instance import AttributeInstance
    from ....kmip.attributes import Attributes


@click.group("attributes", cls=Group)
def attributes() -> None:
    """Look at the attributes of an object, and change them.

    NAME is KMIP's name of an attribute in any spelling, vendor:name for a vendor's own, Tag for the tags.
    VALUE is a text, a number, true or false, a date (now, 2030-12-31, 2030-12-31T23:59:59Z), a duration
    (90d), hexadecimal bytes, a name, names joined by commas for a mask, TYPE:IDENTIFIER for a Link, a
    JSON object for another structure.
    """


# --- get ----------------------------------------------------------------------------------------


@attributes.command("get")
@click.argument("key", metavar="[KEY]", required=False)
@id_options
@click.option(
    "--attribute",
    "-a",
    "names",
    metavar="NAME",
    multiple=True,
    help="Only this attribute; repeatable.",
)
@click.option(
    "--link-type",
    "-l",
    "link_types",
    type=KMIPName("LinkType", suffix="Link"),
    metavar="TYPE",
    multiple=True,
    help="Of the links only those of this type; repeatable.",
)
@click.option(
    "--output-file",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the attributes there, as JSON.",
)
@click.pass_obj
def get_attributes(
    session: Session,
    key: str | None,
    identifier: str | None,
    tags: tuple[str, ...],
    names: tuple[str, ...],
    link_types: tuple[Any, ...],
    output_file: Path | None,
) -> None:
    """Print the attributes of an object.

    One that is asked for alone by --attribute is printed without its name.

    \b
    kmsctl attributes get invoices --attribute State
    """  # fmt: skip
    from .shown_attributes import show_attributes

    references = [read_reference(name) for name in names]
    found = use_key(
        session,
        name_object(key, identifier),
        tags,
        lambda key: session.client.get_attributes(key, references),
    )
    if link_types:
        kept = tuple(link for link in found.links if link.link_type in link_types)
        found = found.replace(links=kept)
    shown = show_attributes(found)
    if output_file is not None:
        output_file.write_text(json_text(shown) + "\n", encoding="utf-8")
        say(f"The attributes are in {output_file}.")
    elif session.is_json:
        show_json(shown)
    elif len(names) == 1:
        for value in _values(shown):
            show_value(value)
    else:
        rows = [(name, value) for name, item in shown.items() for value in _values({name: item})]
        show_table(("attribute", "value"), rows)


def _values(shown: Mapping[str, Any]) -> list[Cell]:
    """The values of all attributes, each in the form in which it is printed on a line."""
    values: list[Cell] = []
    for item in shown.values():
        several = isinstance(item, list) and any(isinstance(value, dict) for value in item)
        values += [_flatten(value) for value in item] if several else [_flatten(item)]
    return values


def _flatten(value: Any) -> Cell:
    """A value on one line, as `set` accepts it: of a Name the text, of a Link TYPE:IDENTIFIER."""
    if not isinstance(value, dict):
        cell: Cell = value
        return cell
    if value.keys() == {"NameValue", "NameType"}:
        return str(value["NameValue"])
    if value.keys() == {"LinkType", "LinkedObjectIdentifier"}:
        return f"{value['LinkType']}:{value['LinkedObjectIdentifier']}"
    return json.dumps(value, default=str)


# --- set, modify, delete ------------------------------------------------------------------------


@attributes.command("set")
@click.argument("words", metavar="[KEY] NAME=VALUE...", nargs=-1)
@id_options
@value_options
@click.pass_obj
def set_attributes(session: Session, /, words: tuple[str, ...], **flags: Any) -> None:
    """Set attributes, whether they have a value or not.

    Of an attribute that may have several values, such as Name, the one that is there is replaced; where
    there are more, use modify or delete. A link takes the place of the one of its type.

    \b
    kmsctl attributes set invoices Description="since 2024" RotateInterval=90d
    """
    key, tags, assignments = split_words(words, flags)
    values = [*attributes_from_flags(flags), *(read_attribute(text) for text in assignments)]
    _change_each(session, key, tags, values, _set_one)


@attributes.command("modify")
@click.argument("words", metavar="[KEY] NAME=VALUE...", nargs=-1)
@id_options
@value_options
@click.option(
    "--current",
    metavar="NAME=VALUE",
    help="Which value to change, where the attribute has several.",
)
@click.pass_obj
def modify_attributes(
    session: Session, /, words: tuple[str, ...], current: str | None, **flags: Any
) -> None:
    """Change attributes that have a value; one that has none is refused.

    An ActivationDate that has come makes a Pre-Active object Active.

    \b
    kmsctl attributes modify invoices Name=bills
    """  # fmt: skip
    key, tags, assignments = split_words(words, flags)
    replaced = None if current is None else read_attribute(current)
    values = [*attributes_from_flags(flags), *(read_attribute(text) for text in assignments)]
    _change_each(
        session,
        key,
        tags,
        values,
        lambda session, key, new: session.client.modify_attribute(key, new, replaced),
    )


@attributes.command("delete")
@click.argument("words", metavar="[KEY] NAME[=VALUE]...", nargs=-1)
@id_options
@value_options
@click.option(
    "--attribute",
    "names",
    metavar="NAME",
    multiple=True,
    help="All values of this attribute; repeatable.",
)
@click.pass_obj
def delete_attributes(
    session: Session, /, words: tuple[str, ...], names: tuple[str, ...], **flags: Any
) -> None:
    """Delete attributes: NAME all its values, NAME=VALUE one of them.

    \b
    kmsctl attributes delete invoices Description
    """  # fmt: skip
    key, tags, rest = split_words(words, flags)
    references: list[Any] = [
        *attributes_from_flags(flags),
        *(read_attribute(text) if "=" in text else read_reference(text) for text in rest),
        *(read_reference(name) for name in names),
    ]
    _change_each(
        session,
        key,
        tags,
        references,
        lambda session, key, unwanted: session.client.delete_attribute(key, unwanted),
    )


def _change_each(
    session: Session,
    key: str | None,
    tags: Sequence[str],
    items: Sequence[Any],
    change: Callable[[Session, Key, Any], str],
) -> None:
    """Make the changes one by one, and print the identifier of the object."""
    if not items:
        raise click.UsageError("no attribute is named")

    def change_first(target: Key) -> str:
        return change(session, target, items[0])

    identifier = use_key(session, key, tags, change_first)
    for item in items[1:]:
        change(session, identifier, item)
    show_value(identifier, name="unique_identifier")


def _set_one(session: Session, key: Key, new: AttributeInstance) -> str:
    """Set one attribute; the object's identifier. KMIP's Set Attribute cannot set one that may have several values."""
    from ....kmip.attributes import Attributes
    from ....kmip.schema import is_repeated

    client = session.client
    if new.field == "vendor_attributes" or not is_repeated(Attributes, new.field):
        identifier: str = client.set_attribute(key, new)
        return identifier
    current = _find_replaced(client.get_attributes(key, [read_reference(new.tag)]), new)
    if current is None:
        identifier = client.add_attribute(key, new)
    else:
        identifier = client.modify_attribute(key, new, current)
    return identifier


def _find_replaced(attributes: Attributes, new: AttributeInstance) -> AttributeInstance | None:
    """The value that the new one replaces; None where it is added."""
    from ....kmip.attribute_instance import AttributeInstance

    values = getattr(attributes, new.field)
    if new.field == "links":  # each type of link is an attribute of its own
        values = tuple(link for link in values if link.link_type == new.value.link_type)
    if len(values) > 1:
        raise click.UsageError(
            f"the object has {len(values)} values of {new.tag}: say which with "
            "kmsctl attributes modify --current, or delete some"
        )
    return AttributeInstance(new.field, values[0]) if values else None
