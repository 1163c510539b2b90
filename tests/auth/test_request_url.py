"""The form in which URLs are compared (RFC 3986 §6.2)."""

from __future__ import annotations

from kms_tornado.auth.request_url import normalise_url

from ..rows import each_row


@each_row(
    ("url", "expected"),
    [
        ("https://kms.example/kmip", "https://kms.example/kmip"),
        ("HTTPS://KMS.Example/kmip", "https://kms.example/kmip"),
        ("https://kms.example:443/kmip", "https://kms.example/kmip"),
        ("https://kms.example:/kmip", "https://kms.example/kmip"),
        ("https://kms.example:00443/kmip", "https://kms.example/kmip"),
        ("http://kms.example:80", "http://kms.example/"),
        ("http://kms.example:443/", "http://kms.example:443/"),
        ("https://kms.example:80/", "https://kms.example:80/"),
        ("https://kms.example?a=b", "https://kms.example/"),
        ("https://kms.example/kmip?a=b#c", "https://kms.example/kmip"),
        ("https://kms.example/%6bm%69p%7E", "https://kms.example/kmip~"),
        ("https://kms.example/a%2fb%C3%A9", "https://kms.example/a%2Fb%C3%A9"),
        ("https://kms.example/a//b/", "https://kms.example/a//b/"),
        ("https://kms.example/KMIP", "https://kms.example/KMIP"),  # paths keep their case
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://kms.example/a/../b", "https://kms.example/a/../b"),
        ("https://kms.example/%2e%2E/b", "https://kms.example/../b"),
    ],
)
def test_urls_that_mean_the_same_have_one_form(url: str, expected: str) -> None:
    assert normalise_url(url) == expected


@each_row(
    ("path", "expected"),
    [
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/../../a", "/a"),
        ("/..", "/"),
        ("/.", "/"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/...", "/a/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a//../b", "/a/b"),
    ],
)
def test_dots_are_removed_from_what_a_client_wrote(path: str, expected: str) -> None:
    assert normalise_url(f"https://h{path}", removes_dots=True) == f"https://h{expected}"


@each_row(
    "url",
    [
        "",
        "/kmip",
        "kms.example/kmip",
        "//kms.example/kmip",
        "ftp://kms.example/",
        "https:///kmip",
        "https://",
        "https://user@kms.example/",
        "https://kms.example@evil.example/",
        "https://kms.example:99999/",
        "https://kms.example:x/",
        "https://[::1/",
        "https://kms.example\\@evil.example/",
        "https://kms.example/ a",
        " https://kms.example/",
        "https://kms.example/\n",
        "https://kms.example/é",
        "https://kms.example/\x00",
    ],
)
def test_what_is_no_url_of_http_has_no_form(url: str) -> None:
    assert normalise_url(url) is None
