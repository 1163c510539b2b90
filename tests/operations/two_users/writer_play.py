"""WriterPlay: the database writer's moves, each between two askings of the same questions.

After an edit each question is answered as before or fails: with General Failure, and a line in the log. Then
bob tries what he likes on the edited objects, held against the model, which knows nothing of the edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kms_tornado.errors import ItemNotFound
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.payloads import (
    ExportRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    GetRequest,
)

from ..inside import ALICE, BOB
from .database import Edit
from .message_play import MessagePlay, locating, rank_of
from .model import Overreach
from .play import USERS
from .world import Outcome

Op = Operation

#: (user, operation, request) → how it ended.
Question = tuple[str, str, str]
Answers = dict[Question, Outcome]
Asked = tuple[Operation, Any]


class WriterPlay(MessagePlay):
    def __init__(self, world: Any) -> None:
        super().__init__(world)
        #: What was done, for whoever reads a failure.
        self.edits: list[str] = []

    def tamper(
        self,
        edit: Edit,
        before: Answers,
        asked: Sequence[str],
        *,
        stays: bool = False,
        is_last: bool = True,
    ) -> None:
        """Check the answers after the edit, and let bob try; then put the rows back, unless it stays.

        before, asked: of `ask`, from before the edit. is_last: whether the rows that were put back are asked for, which
        may wait for the last of several edits.
        """
        self.edits.append(edit.what)
        was_hidden = self.is_hidden_from_searches
        self.is_hidden_from_searches |= edit.hides
        touched = self.touched_by(edit)
        if edit.removes:
            for uid in touched:
                self.keys[uid].is_lost = True
        after = self.ask(asked)
        self.compare(before, after, edit)
        self.try_everything(touched)
        if not stays and self.world.database.undo(edit):
            self.edits.append("put back")
            if is_last:
                self.compare_again(before, self.ask(asked))
            self.is_hidden_from_searches = was_hidden
            for uid in touched:
                self.keys[uid].is_lost = False

    def ask(self, uids: Sequence[str]) -> Answers:
        """Questions that change nothing, once the first of them has made whatever it gives out no longer Fresh."""
        answers: Answers = {}
        whats = (*uids, '["a"]')
        given_out: list[Asked] = [(Op.GET, GetRequest(what)) for what in whats]
        given_out += [(Op.EXPORT, ExportRequest(what)) for what in whats]
        told: list[Asked] = [(Op.GET_ATTRIBUTES, GetAttributesRequest(what)) for what in whats]
        told += [(Op.GET_ATTRIBUTE_LIST, GetAttributeListRequest(what)) for what in whats]
        told += [(Op.LOCATE, locating(Attributes(), tags)) for tags in (frozenset(), frozenset("a"))]  # fmt: skip
        for asked in (given_out, told):
            for user in USERS:
                for operation, request in asked:
                    outcome = self.act(user, operation, request)
                    self.see(user, outcome, operation.name)
                    answers[user, operation.name, repr(request)] = outcome
        return answers

    def compare(self, before: Answers, after: Answers, edit: Edit) -> None:
        for question, old in before.items():
            new = after[question]
            if old.is_refused_as_edited or new.is_refused_as_edited:
                continue
            if old.response == new.response and type(old.error) is type(new.error):
                continue
            if not self._is_excused(question, new, edit, old):
                raise Overreach(
                    f"{_tell(question, old)}\nafter {edit.what}: {_tell(question, new)}"
                )

    def compare_again(self, before: Answers, after: Answers) -> None:
        """Where the rows are as they were: bob may have used what he may use, but nothing is broken."""
        for question, old in before.items():
            new = after[question]
            if not old.is_refused_as_edited and type(old.error) is not type(new.error):
                raise Overreach(
                    f"{_tell(question, old)}\nafter it was put back: {_tell(question, new)}"
                )

    def _is_excused(self, question: Question, new: Outcome, edit: Edit, old: Outcome) -> bool:
        """What is gone is not there; what is hidden from an index is not found, and something else may be."""
        if edit.removes and isinstance(new.error, ItemNotFound):
            return True
        user, operation, request = question
        if not edit.hides:
            return False
        if operation == "LOCATE":
            found = new.response and set(new.response.unique_identifiers)
            return found is not None and found <= set(old.response.unique_identifiers)
        if "identifier='[" not in request:
            return False
        key = self.keys.get(new.response.unique_identifier) if new.is_done else None
        return not new.is_done or (key is not None and rank_of(user, key) < 2)

    def touched_by(self, edit: Edit) -> list[str]:
        """The identifiers of the objects whose rows it changed, as the model has them."""
        database = self.world.database
        serials = {row["serial"]: row["uid"] for row in database.rows(database.objects)}
        uids = []
        for table, row in (*edit.before, *edit.after):
            uid = row.get("uid") if table.name == "objects" else serials.get(row.get("object"))
            if uid in self.keys and uid not in uids:
                uids.append(uid)
        return uids

    def try_everything(self, uids: Sequence[str]) -> None:
        """What bob would do with an object that he hopes to have got."""
        for uid in uids:
            own = [key.uid for key in self.owned_by(BOB) if key.mask in {0x30, 0x38, None}]
            self.get(BOB, uid)
            self.get(BOB, uid, is_export=True)
            self.attributes_of(BOB, uid)
            self.encrypt(BOB, uid, bytes(32))
            self.mac(BOB, uid, bytes(16))
            for box in [box for box in self.boxes if box.user == ALICE][-2:]:
                self.decrypt(BOB, box, uid)
            for by in own[-1:]:
                self.get(BOB, uid, by=by, is_export=True)
        for user in USERS:
            self.locate(user, Attributes())


def _tell(question: Question, outcome: Outcome) -> str:
    return f"{question}: {outcome.error or outcome.response}"
