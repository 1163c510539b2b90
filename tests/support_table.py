"""The README's tables of operations and limits, generated from those of the server.

``python -m tests.support_table`` writes them into the README; a test keeps them equal.
"""

from __future__ import annotations

import re
from pathlib import Path

from kms_tornado.kmip.enums import ObjectType
from kms_tornado.kmip.tables import ENUMERATIONS, OPERATION_TAGS
from kms_tornado.service.catalogue import ALL, SUPPORT
from kms_tornado.service.limits import LIMITS
from kms_tornado.service.service import INTEROP_OPERATIONS, OPERATIONS

README = Path(__file__).parent.parent / "README.md"


def operations() -> str:
    lines = ["| operation | objects | notes |", "|---|---|---|"]
    for operation in (*OPERATIONS, *INTEROP_OPERATIONS):
        support = SUPPORT[operation]
        lines.append(
            f"| {OPERATION_TAGS[operation]} | {_objects(support.object_types)} | {support.note} |"
        )
    return "\n".join(lines)


def limits() -> str:
    lines = ["| limit | most | answer beyond |", "|---|---|---|"]
    for each in LIMITS:
        option = f" (`{each.option}`)" if each.option else ""
        answer = f"`{each.answer}`" if re.fullmatch(r"\w+", each.answer) else each.answer
        lines.append(f"| {each.name}{option} | {each.most:,} {each.unit} | {answer} |")
    return "\n".join(lines)


TABLES = {"operations": operations, "limits": limits}


def rewritten(text: str) -> str:
    """The README with each table between its marks as it should be."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: python -m tests.support_table -->", "<!-- end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise LookupError(f"the README has no place for the table of {name}")
        whole = f"{begin}\n{table()}\n{end}"
        text = pattern.sub(lambda _, whole=whole: whole, text)  # type: ignore[misc]
    return text


def _objects(types: tuple[ObjectType, ...]) -> str:
    if types == ALL:
        return "all"
    return ", ".join(ENUMERATIONS["ObjectType"].oasis[each] for each in types)


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text()))
