"""A person at a provider's pages: fills in the forms until none is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

MAX_PAGES = 8


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, set[str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = attributes.get("method", "get").lower()
            self.forms.append(Form(attributes.get("action", ""), method))
        elif self.forms and "name" in attributes:
            name, value = attributes["name"], attributes.get("value", "")
            if tag == "input":
                self.forms[-1].fields[name] = value
            elif tag == "button":
                self.forms[-1].buttons.setdefault(name, set()).add(value)


@dataclass(frozen=True)
class Person:
    """answers: what goes into a field of that name, or which button of it is pressed."""

    answers: Mapping[str, str]

    def __call__(self, session: requests.Session, page: requests.Response) -> requests.Response:
        for _ in range(MAX_PAGES):
            forms = _Forms(page.text).forms
            if not forms:
                return page
            form = next((form for form in forms if self._knows(form)), forms[0])
            page = self._submit(session, page.url, form)
        raise AssertionError(f"there is always another form: {page.url}")

    def _knows(self, form: Form) -> bool:
        pressed = any(self.answers.get(name) in values for name, values in form.buttons.items())
        return pressed or bool(self.answers.keys() & form.fields.keys())

    def _submit(self, session: requests.Session, url: str, form: Form) -> requests.Response:
        names = form.fields.keys() | form.buttons.keys()
        data = form.fields | {name: self.answers[name] for name in names & self.answers.keys()}
        parts = urlsplit(url)
        target, headers = urljoin(url, form.action), {"Origin": f"{parts.scheme}://{parts.netloc}"}
        if form.method == "post":
            return session.post(target, data=data, headers=headers, timeout=10)
        return session.get(target, params=data, timeout=10)
