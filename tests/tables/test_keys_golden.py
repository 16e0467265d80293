"""The search order of every kind of table: golden/keys.in asks, golden/keys.ref holds the keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tables import keys
from tables.addresses import NULL, Address, parse_path
from tables.keys import Key

GOLDEN = Path(__file__).parent / "golden"

Ask = Callable[[str, dict[str, str]], tuple[Key, ...]]


def address(text: str) -> Address:
    return NULL if text == "<>" else parse_path(text, smtputf8=True)


ASK: dict[str, Ask] = {
    "address": lambda text, site: keys.address_keys(
        address(text), delimiter=site.get("delimiter", ""), is_local="local" in site
    ),
    "alias": lambda text, site: keys.alias_keys(text),
    "mail": lambda text, site: keys.access_mail(
        address(text), delimiter=site.get("delimiter", ""), parent="parent" in site
    ),
    "client": lambda text, site: keys.access_client(*text.split(), parent="parent" in site),
    "domain": lambda text, site: keys.access_domain(text, parent="parent" in site),
    "transport": lambda text, site: keys.transport_keys(
        address(text), delimiter=site.get("delimiter", ""), parent="parent" in site
    ),
    "nexthop": lambda text, site: keys.next_hop_keys(text),
    "credential": lambda text, site: keys.credential_keys(*text.split()),
}


def answer(line: str) -> str:
    """One line of the reference for one of the script."""
    if not line or line.startswith("#"):
        return line
    kind, subject, *known = line.split("  ")
    site = dict(each.partition("=")[::2] for each in known)
    found = [f"({key.text})" if key.partial else key.text for key in ASK[kind](subject, site)]
    return "\n".join([line, *(f"    {key}" for key in found)])


def test_it_works() -> None:
    script = (GOLDEN / "keys.in").read_text().splitlines()
    said = "\n".join(answer(line) for line in script) + "\n"
    assert said == (GOLDEN / "keys.ref").read_text()


def test_every_order_is_in_the_script() -> None:
    public = {
        name
        for name, each in vars(keys).items()
        if callable(each) and each.__module__ == keys.__name__ and not name.startswith("_")
    }
    assert len(public - {"Key", "access_address"}) == len(ASK)
