"""The views, in a real browser: what they show, that everybody can use them, and what they cost."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ...issuer import Issuer
from ...keys import certificate, private_key
from ...kms import User, name, structure
from ...operations.new_objects import held_certificate, registered
from ...server import ServerProcess, eventually, trusting
from .acting import enter, show
from .browser import find_violations
from .conftest import ALICE, BOB, Place
from .keys_to_show import HOSTILE, create, make_keys, revoke

#: Every view with something in it, and some without.
VIEWS = (
    "", "keys", "keys?of=obtained", "keys?text=nothing-like-this", "keys/invoices-2026", "keys/leaked",
    "keys/no-such-key", "access", "access?user=bob%40example.com", "access?key=invoices-2026",
    "access?user=bob%40example.com&key=backups", "attention", "audit", "me", "encrypt", "nowhere",
)  # fmt: skip
#: One of each kind, whose colours and widths are those of the others.
VIEWS_OF_A_KIND = (
    "", "keys", "keys/leaked", "access?user=bob%40example.com&key=backups", "attention",
    "audit?uid=invoices-2026",  # axe takes as long for the 50 records of all keys as for six views
)  # fmt: skip


@pytest.fixture(scope="module")
def filled(place: Place) -> Place:
    alice, bob = (User(place.port, place.token(user)) for user in (ALICE, BOB))
    make_keys(alice, bob)

    def is_indexed() -> bool:
        answer = alice.exchange("GET", "/audit/statistics?uid=invoices-2026")
        return b'"uses": 9' in answer.body

    eventually(is_indexed)
    return place


@pytest.fixture(scope="module")
def page(other_tab: Any, filled: Place) -> Any:
    return enter(other_tab, filled, ALICE)


# --- what they show -------------------------------------------------------------------------------


def test_overview_says_at_a_glance_what_is_the_matter(page: Any) -> None:
    text = show(page, "")
    assert "4 keys need your attention." in text
    assert re.search(r"Active\s+8\b", text), text
    assert "Backups of the ERP" in text
    assert "Database" in text


def test_overview_says_that_all_is_well_only_where_it_has_looked_at_all(
    tab: Any, tmp_path: Path
) -> None:
    """The server looks at so many keys in a request, and the page asks five times: here for ten keys."""
    listing = "service.objects.listing"
    few = {f"{listing}._MOST_LOOKED_AT": 2, f"{listing}._TURN": 2}
    with (
        Issuer() as issuer,
        ServerProcess(*trusting(issuer), "--ui", cwd=tmp_path, constants=few) as server,
    ):
        place = Place(server.url, issuer)
        alice = User(place.port, place.token(ALICE))
        create(alice, "leaked", named="Web shop")
        revoke(alice, "leaked", "KeyCompromise")
        for number in range(9):
            create(alice, f"newer-{number}", named=f"Newer {number}")
        page = enter(tab, place, ALICE)
        assert "At least 1 key needs your attention." in show(page, "")
        for number in range(9, 12):
            create(alice, f"newer-{number}", named=f"Newer {number}")
        show(page, "me")
        text = show(page, "")
        assert "none of your newest keys needs your attention." in text
        assert "All is well" not in text
        page.get_by_role("link", name="Look further").click()
        page.get_by_role("button", name="Look further").click()
        page.get_by_text("It was reported compromised").wait_for()


def test_view_that_is_shown_is_seen_in_the_menu_of_a_narrow_window(tab: Any, filled: Place) -> None:
    page = enter(tab, filled, ALICE, width=360)
    for view in ("", "attention", "me"):
        show(page, view)
        box = page.locator(".menu [aria-current]").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


def test_names_of_keys_have_room_in_windows_of_all_widths(tab: Any, filled: Place) -> None:
    """Beside many columns, a name was a letter wide where the menu takes its part of the window."""
    page = enter(tab, filled, ALICE)
    show(page, "keys")
    narrow = {}
    for width in (320, 700, 800, 900, 1000, 1100, 1160, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        found = page.locator("tbody th").first.bounding_box()["width"]
        if found < min(180, width / 2):
            narrow[width] = found
    assert narrow == {}


def test_keys_are_searched_filtered_and_told_from_those_of_others(page: Any) -> None:
    assert "Archive 2019" in show(page, "keys")
    page.get_by_label("Search").fill("INVOICES")
    page.get_by_text("2 keys").wait_for()
    page.get_by_label("State").select_option("PreActive")
    page.get_by_text("1 key", exact=True).wait_for()
    assert "Invoices, next year" in page.locator("table").inner_text()
    assert "text=INVOICES" in page.url
    assert "Nobody shares a key with you yet" in show(page, "keys?of=obtained")


def test_halves_of_a_pair_are_told_apart_in_the_list(tab: Any, place: Place) -> None:
    user = "halves"
    common = structure("CommonAttributes", name("CryptographicAlgorithm", "Ed25519"))
    User(place.port, place.token(user)).do("CreateKeyPair", common)
    page = enter(tab, place, user)
    show(page, "keys")
    cells = page.locator("tbody td:nth-child(2)").all_inner_texts()
    assert sorted(cells) == ["Ed25519 256\nPrivate key", "Ed25519 256\nPublic key"]


def test_key_has_its_life_cycle_rights_uses_and_records(page: Any) -> None:
    text = show(page, "keys/invoices-2026")
    here = page.locator(".way [aria-current=step]")
    assert here.inner_text().startswith("Active")
    assert "may decrypt, encrypt and see its attributes" in text
    assert page.get_by_role(
        "img", name=re.compile("Uses by day: 9 used, 1 failed or refused; the highest bar is")
    ).is_visible()
    assert "there is no such key, or it was not granted to this user" in text
    assert "billing" in text


def test_compromised_key_shows_the_way_it_went(page: Any) -> None:
    text = show(page, "keys/leaked")
    assert page.locator(".way [aria-current=step]").inner_text().startswith("Compromised")
    assert "encrypt anew what it protected" in text


def test_key_that_is_not_there_is_told_with_what_to_do(page: Any) -> None:
    text = show(page, "keys/no-such-key")
    assert "its owner can share it with you" in text


def test_access_answers_what_who_and_why_not(page: Any) -> None:
    text = show(page, "access?user=bob%40example.com")
    assert "Signing of tokens" in text
    assert "as everybody" in text
    assert "Everybody who can sign in" in show(page, "access?key=backups")
    text = show(page, "access?user=bob%40example.com&key=next-year")
    assert "No: nothing was granted to bob@example.com." in text
    text = show(page, "access?user=bob%40example.com&key=invoices-2026")
    assert "Yes: bob@example.com may decrypt, encrypt and see its attributes." in text


def test_what_needs_action_is_told_with_what_to_do_the_urgent_first(page: Any) -> None:
    text = show(page, "attention")
    order = [text.index(name) for name in ("Web shop", "Signing of tokens", "Backups", "next year")]
    assert order == sorted(order)
    assert "Replace it in time" in text


def test_certificates_that_end_are_told_by_their_own_end(tab: Any, place: Place) -> None:
    """In the name of somebody who has nothing else."""
    carol = User(place.port, place.token("carol"))
    key = private_key("ES256")
    soon, late = (_register(carol, certificate(key, ends_in_days=days)) for days in (12, 90))
    ended = _register(carol, certificate(key, expired=True))
    page = enter(tab, place, "carol")
    show(page, "attention")
    page.get_by_role("heading", name="Certificates that end").wait_for()
    rows = page.locator("section tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == [ended, soon]
    assert "in 12 days" in rows[1]
    show(page, f"keys/{late}")
    page.get_by_text("The certificate is valid until").wait_for()
    assert page.complaints == []


def _register(user: User, pem: bytes) -> str:
    return str(
        registered(user, "Certificate", held_certificate(ssl.PEM_cert_to_DER_cert(pem.decode())))
    )


def test_audit_is_filtered_and_says_why_the_answer_was_no(page: Any) -> None:
    text = show(page, "audit?result=Failed")
    assert "the key's state or its dates do not allow it" in text
    assert "Done" not in page.locator("table tbody").inner_text()


def test_grantee_sees_what_was_shared(tab: Any, filled: Place) -> None:
    page = enter(tab, filled, BOB)
    text = show(page, "keys?of=obtained")
    assert "invoices-2026" in text
    assert "alice@example.com" in text
    text = show(page, "keys/backups")
    assert "It belongs to alice@example.com" in text
    assert "You may encrypt." in text
    assert page.complaints == []


def test_hostile_name_is_text_wherever_it_is_shown(page: Any) -> None:
    for view in ("keys", "keys/hostile", "access?key=hostile", "audit?uid=hostile"):
        text = show(page, view)
        assert "taken over" not in page.title() or HOSTILE in page.title()
        assert page.locator("main img").count() == 0
        assert (HOSTILE in text) == (not view.startswith("audit"))


def test_attribute_of_another_vendor_with_the_name_of_tags_breaks_nothing(page: Any) -> None:
    assert "You are its owner" in show(page, "keys/hostile")


# --- for everybody, everywhere --------------------------------------------------------------------


@dataclass
class Tour:
    """What was found on a walk through views, each of them once."""

    faults: list[tuple[str, str]]
    overhang: dict[str, int]
    complaints: list[str]


def go_through(tab: Any, filled: Place, scheme: str, width: int, views: Sequence[str]) -> Tour:
    page = enter(tab, filled, ALICE, scheme=scheme, width=width)
    tour = Tour([], {}, [])
    for view in views:
        show(page, view)
        tour.faults += [(view, fault) for fault in find_violations(page)]
        tour.overhang[view] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    tour.complaints += page.complaints
    return tour


@pytest.fixture(scope="module", params=["light and wide", "dark and narrow"])
def tour(request: pytest.FixtureRequest, tab: Any, filled: Place) -> Tour:
    if request.param == "light and wide":
        return go_through(tab, filled, "light", 1280, VIEWS)
    return go_through(tab, filled, "dark", 360, VIEWS_OF_A_KIND)


def test_no_view_has_a_fault_that_axe_finds(tour: Tour) -> None:
    assert tour.faults == []


def test_no_view_is_wider_than_the_window(tour: Tour) -> None:
    assert {view: pixels for view, pixels in tour.overhang.items() if pixels > 0} == {}


def test_no_view_makes_the_browser_complain(tour: Tour) -> None:
    assert tour.complaints == []


def test_view_has_the_focus_as_soon_as_it_is_shown(page: Any) -> None:
    """Else it would be taken from what the person has gone to meanwhile."""
    show(page, "")
    focused = page.evaluate(
        """() => new Promise((resolve) => {
            const watch = new MutationObserver(() => {
                if (document.querySelector("h1").textContent !== "Keys") return;
                watch.disconnect();
                resolve([document.activeElement.tagName, document.title]);
            });
            watch.observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true });
            location.hash = "#/keys";
        })"""
    )
    assert focused == ["H1", "Keys – kms_tornado"]


def test_all_of_the_page_is_reached_by_the_keyboard(page: Any) -> None:
    show(page, "")
    assert page.evaluate("document.activeElement.textContent") == "Overview"
    page.locator(".skip").focus()
    seen = []
    for _ in range(10):
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
        page.keyboard.press("Tab")
    assert seen == [
        "Skip to the content", "kms_tornado", "Sign out",
        "Overview", "Keys", "Access", "Needs action", "Files", "Audit", "Me",
    ]  # fmt: skip
    page.get_by_role("link", name="Keys", exact=True).focus()
    page.keyboard.press("Enter")
    # The heading has the focus, and no more the link, whose text is the same.
    eventually(lambda: page.locator("h1:focus").all_inner_texts() == ["Keys"])
    assert page.title() == "Keys – kms_tornado"


# --- what they cost -------------------------------------------------------------------------------


def test_overview_asks_five_things_of_this_server_alone(tab: Any, filled: Place) -> None:
    page = enter(tab, filled, ALICE)
    show(page, "me")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("location.hash = '#/'")
    page.get_by_text("need your attention").wait_for()
    page.wait_for_load_state("networkidle")
    base = f"http://127.0.0.1:{filled.port}/"
    asked = [url for url in asked if "/static/" not in url]  # the icon, whenever it likes
    assert len(asked) <= 5, asked
    assert all(url.startswith(base) for url in asked)
