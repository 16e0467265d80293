"""An edit in a real browser changes what the mail server does, and the page says when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.system.house import PASSWORD, House
from tests.system.test_edit_to_mailbox import with_mailbox

CHROMIUM = Path("/usr/bin/chromium")
LIVE = re.compile(r"Live in generation \d+\.")
LIVE_WITHIN_MS = 30_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.system,
    pytest.mark.xdist_group("house"),
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="chromium is not installed: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    arguments = [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ]  # fmt: skip
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    """A page of the panel after the login; what goes wrong in its scripts fails the test."""
    context = browser.new_context(base_url=house.base, viewport={"width": 1300, "height": 900})
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda request: (
            trouble.append(request.url)
            if not request.url.startswith((house.base, "data:"))
            else None
        ),
    )
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title("Dashboard | Waypost")
    yield page
    context.close()
    assert trouble == []


def save(page: Page) -> None:
    """Press the button that every form has."""
    page.get_by_role("button", name="Save", exact=True).click()


def see_it_go_live(page: Page) -> None:
    """The message of the edit turns from "not live yet" into the generation, without a reload."""
    expect(page.locator(".wp-edit")).to_have_text(LIVE, timeout=LIVE_WITHIN_MS)
    expect(page.locator("#wp-status")).to_contain_text("All changes are published")
    expect(page.locator("#wp-status")).to_contain_text("is live")


def test_it_works(page: Page, house: House) -> None:
    joe = with_mailbox(house, "browser.test")
    house.live("POST", "domains/", {"name": "browser-office.test", "kind": "local"})

    page.get_by_role("link", name=re.compile("Aliases$")).first.click()
    page.get_by_role("link", name="Add alias").first.click()
    page.get_by_role("textbox", name="Name").fill("browser-crew")
    page.get_by_role("textbox", name="Destinations").fill(joe)
    save(page)
    expect(page.get_by_role("link", name="browser-crew").last).to_be_visible()
    see_it_go_live(page)

    house.send("ann@sender.test", "browser-crew@browser-office.test", "through the alias")
    assert house.arrived(joe, "through the alias")["Delivered-To"] == joe


def test_a_virtual_entry_goes_live_and_away_again(page: Page, house: House) -> None:
    joe = with_mailbox(house, "browser-virtual.test")

    page.goto("/admin/panel/virtualentry/add/")
    page.get_by_role("textbox", name="Pattern").fill("sales@browser-virtual.test")
    page.get_by_role("textbox", name="Destinations").fill(f"{joe}\n")
    save(page)
    see_it_go_live(page)
    house.send("ann@sender.test", "sales@browser-virtual.test", "through the browser")
    assert (
        house.arrived(joe, "through the browser")["X-Original-To"] == "sales@browser-virtual.test"
    )

    page.goto("/admin/panel/virtualentry/?q=sales@browser-virtual.test")
    page.get_by_label("Select record").first.check()
    page.locator("select[name=action]").select_option("delete_selected")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#content")).to_contain_text("1 row")
    page.get_by_role("button", name="Yes, go on").click()
    see_it_go_live(page)
    assert house.reply_to_rcpt("sales@browser-virtual.test")[0] == 550


def test_a_domain_and_a_mailbox_are_made_in_the_browser(page: Page, house: House) -> None:
    page.goto("/admin/panel/domain/add/")
    page.get_by_role("textbox", name="Name").fill("browser-new.test")
    save(page)
    expect(page.locator("body")).to_contain_text("was added successfully")

    page.goto("/admin/panel/mailbox/add/")
    page.get_by_role("textbox", name="Address").fill("amy@browser-new.test")
    page.get_by_role("textbox", name="Quota").fill("10 MB")
    page.get_by_role("button", name="Generate").click()
    generated = page.locator(".wp-generated").inner_text()
    assert len(generated) == 20
    assert page.locator("#id_password2").input_value() == generated
    save(page)
    see_it_go_live(page)

    house.send("ann@sender.test", "amy@browser-new.test", "to the new mailbox")
    house.arrived("amy@browser-new.test", "to the new mailbox")


def test_wrong_input_is_told_beside_the_field_and_changes_nothing(page: Page, house: House) -> None:
    before = house.api("GET", "changes/").json["count"]

    page.goto("/admin/panel/alias/add/")
    page.get_by_role("textbox", name="Name").fill("wrong")
    page.get_by_role("textbox", name="Destinations").fill("two@@signs")
    save(page)

    expect(page.locator("#id_value_error")).to_contain_text("signs")
    expect(page.get_by_role("textbox", name="Destinations")).to_have_value("two@@signs")
    assert house.api("GET", "aliases/?search=wrong").json["results"] == []
    assert house.api("GET", "changes/").json["count"] == before


def test_a_refused_publish_says_why_and_is_mended(page: Page, house: House) -> None:
    """A parameter that names a table which is not there stops the publish, not the mail."""
    joe = with_mailbox(house, "browser-refused.test")
    page.goto("/admin/panel/parameter/add/?name=recipient_canonical_maps")
    page.get_by_role("textbox", name="Value").fill("hash:no-such-table")
    save(page)
    expect(page.locator(".wp-edit")).to_contain_text("was refused", timeout=LIVE_WITHIN_MS)
    expect(page.locator("#wp-status .wp-bad")).to_contain_text("was refused")
    house.send("ann@sender.test", joe, "while refused")
    house.arrived(joe, "while refused")

    page.locator(".wp-edit").click()
    expect(page.locator("#content")).to_contain_text("no-such-table")
    page.goto("/admin/")
    finding = page.locator(".wp-box-bad .wp-findings").get_by_role("link", name="Open").first
    finding.click()
    expect(page.get_by_role("textbox", name="Value")).to_have_value("hash:no-such-table")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    see_it_go_live(page)
