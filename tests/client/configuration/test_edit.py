"""Changes to a configuration file's text."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.configuration.edit import edit_configuration
from kms_tornado.errors import ConfigurationError

URL = {"http_config": {"server_url": "https://new"}}
LOGIN = {"http_config.oauth2_conf": {"issuer": "https://i", "scopes": ("a", "b")}}


def edit(text: str, changes: Any) -> str:
    return edit_configuration(text, changes, "the file")


@pytest.mark.parametrize(
    ("text", "changes", "result"),
    [
        pytest.param(
            "",
            URL | LOGIN,
            "# Configuration of kmsctl, written by kmsctl configure.\n\n"
            '[http_config]\nserver_url = "https://new"\n\n'
            '[http_config.oauth2_conf]\nissuer = "https://i"\nscopes = ["a", "b"]\n',
            id="new file",
        ),
        pytest.param(
            "# mine\n[http_config] # here\nserver_url = 'http://old' # old\n# end\n",
            URL,
            '# mine\n[http_config] # here\nserver_url = "https://new" # old\n# end\n',
            id="comments",
        ),
        pytest.param(
            'http_config = {server_url = "http://old"}\n',
            URL,
            'http_config = {server_url = "https://new"}\n',
            id="inline table",
        ),
        pytest.param(
            'http_config.server_url = "http://old"\n',
            URL,
            'http_config.server_url = "https://new"\n',
            id="dotted key",
        ),
        pytest.param(
            '[kms_config.http_config]\nserver_url = "http://old"\n',
            URL,
            '[kms_config.http_config]\nserver_url = "https://new"\n',
            id="older file",
        ),
        pytest.param(
            "[http_config]\na = 1\nb = 2\n",
            {"http_config": {"a": None, "c": None}},
            "[http_config]\nb = 2\n",
            id="key taken away",
        ),
        pytest.param("a = 1\n", {"http_config": {"b": None}}, "a = 1\n", id="nothing to do"),
    ],
)
def test_edited_text_has_the_changes_and_nothing_else(text: str, changes: Any, result: str) -> None:
    assert edit(text, changes) == result


@pytest.mark.parametrize("text", ["a = s3cr3t", "http_config = 's3cr3t'"])
def test_text_that_cannot_be_changed_is_one_line(text: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^the file cannot be changed: mend it"
    ) as refusal:
        edit(text, URL)
    assert "s3cr3t" not in str(refusal.value)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, TEXTS)
def test_any_text_is_written_so_that_it_is_read_again(url: str, scope: str) -> None:
    changes = {"http_config": {"server_url": url}, "http_config.oauth2_conf": {"scopes": (scope,)}}
    document = tomllib.loads(edit("", changes))
    assert document["http_config"] == {"server_url": url, "oauth2_conf": {"scopes": [scope]}}
