"""cidr tables: order, negation, blocks, what is refused; against a scan of all rules."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tables.formats.cidr import CidrMap, open_cidr, parse_address
from tests.tables.formats.oracles import Postmap, needs_postmap


def test_it_works() -> None:
    table = open_cidr("192.0.2.0/24 REJECT spam\n2001:db8::/32 OK\n")
    assert table.get("192.0.2.200") == "REJECT spam"
    assert table.get("2001:DB8::1") == "OK"
    assert table.get("198.51.100.1") is None
    assert table.is_pattern


def test_the_first_rule_counts_not_the_narrowest() -> None:
    table = open_cidr("10.0.0.0/8 wide\n10.1.2.3 narrow\n")
    assert table.get("10.1.2.3") == "wide"


def test_a_negated_rule_is_about_its_own_family_only() -> None:
    table = open_cidr("!10.0.0.0/8 other\n::/0 six\n")
    assert [table.get(key) for key in ("10.1.1.1", "11.1.1.1", "::1")] == [None, "other", "six"]


def test_blocks_enclose_rules_and_may_be_nested() -> None:
    table = open_cidr(
        "if 10.0.0.0/8\nif !10.1.0.0/16\n10.0.0.0/8 far\nendif\n"
        "10.1.1.1 near\nendif\n0.0.0.0/0 rest\n"
    )
    answers = [table.get(key) for key in ("10.2.2.2", "10.1.1.1", "10.1.1.2", "192.0.2.1")]
    assert answers == ["far", "near", "rest", "rest"]


def test_a_block_without_end_encloses_all_that_follows() -> None:
    table = open_cidr("if 10.0.0.0/8\n10.0.0.1 one\n0.0.0.0/0 all\n")
    assert [table.get(key) for key in ("10.0.0.1", "10.0.0.2", "11.0.0.1")] == ["one", "all", None]
    assert [str(problem) for problem in table.problems] == ["line 1: IF has no matching ENDIF"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("192.0.2.0/33 x", 'bad mask length in "192.0.2.0/33"'),
        ("192.0.2.0/x x", 'bad mask value in "192.0.2.0/x"'),
        ("192.0.2/24 x", 'bad network value in "192.0.2/24"'),
        (
            "192.0.2.5/24 x",
            'non-null host address bits in "192.0.2.5/24", '
            'perhaps you should use "192.0.2.0/24" instead',
        ),
        ("010.0.0.1 x", 'bad address pattern: "010.0.0.1"'),
        ("192.0.2.0/" + "9" * 10_000 + " x", 'bad mask length in "192.0.2.0/' + "9" * 10_000 + '"'),
        ("nonsense x", 'bad address pattern: "nonsense"'),
        ("[192.0.2.1 x", "missing ']' character after \"[192.0.2.1\""),
        ("[192.0.2.1]x x", 'garbage after "[192.0.2.1]"'),
        ("192.0.2.1", "no lookup result"),
        ("!", "no address pattern"),
        ("if", "no address pattern"),
        ("endif", "ENDIF without IF"),
        ("fe80::1%eth0 x", 'bad address pattern: "fe80::1%eth0"'),
    ],
)
def test_it_skips_bad_lines_and_says_why(line: str, message: str) -> None:
    table = open_cidr(f"# comment\n{line}\n0.0.0.0/0 good\n")
    assert [str(problem) for problem in table.problems] == [
        f"line 2: {message}: skipping this rule"
    ]
    assert table.get("192.0.2.1") == "good"


@pytest.mark.parametrize(
    "key", ["", "host.example", "1.2.3", "10.1.2.3/32", " 10.1.2.3", "٣.1.1.1"]
)
def test_keys_that_are_no_addresses_are_not_found(key: str) -> None:
    assert open_cidr("0.0.0.0/0 all\n::/0 all\n").get(key) is None


def scan(table: CidrMap, key: str) -> str | None:
    """The definition: all rules in order, each tested by itself."""
    address = parse_address(key)
    assert address is not None
    for rule in table.rules:
        networks = [*(block.network for block in rule.blocks), rule.network]
        if all(network.holds(*address) for network in networks):
            return rule.value
    return None


def random_table(generator: random.Random) -> str:
    lines = []
    for number in range(generator.randrange(40)):
        kind = generator.random()
        if generator.random() < 0.3:
            bits = generator.randrange(129)
            first = (0x20010DB8 << 96 | generator.getrandbits(8)) >> (128 - bits) << (128 - bits)
            network = ":".join(f"{first >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
        else:
            bits = generator.randrange(33)
            first = (10 << 24 | generator.getrandbits(10)) >> (32 - bits) << (32 - bits)
            network = ".".join(str(first >> shift & 255) for shift in (24, 16, 8, 0))
        sign = generator.choice(["", "", "!"])
        if kind < 0.7:
            lines.append(f"{sign}{network}/{bits} rule{number}")
        else:
            lines.append(f"if {sign}{network}/{bits}" if kind < 0.87 else "endif")
    return "".join(f"{line}\n" for line in lines)


def test_it_equals_a_scan_of_all_rules() -> None:
    generator = random.Random(20261122)
    found = 0
    for _ in range(400):
        table = open_cidr(random_table(generator))
        keys = [f"10.0.{generator.randrange(5)}.{generator.randrange(256)}" for _ in range(20)]
        keys += [f"2001:db8::{generator.randrange(256):x}" for _ in range(10)]
        for key in keys:
            assert table.get(key) == scan(table, key), key
            found += table.get(key) is not None
    assert found > 1000


@needs_postmap
def test_it_equals_postmap(tmp_path: Path) -> None:
    generator = random.Random(3)
    postmap = Postmap(tmp_path)
    for _ in range(25):
        text = random_table(generator) + generator.choice(["", "10.0.0.0/x y\n", "endif\n"])
        (tmp_path / "table").write_text(text)
        keys = [f"10.0.{n % 5}.{n}" for n in range(30)] + [f"2001:db8::{n:x}" for n in range(10)]
        found, warned = postmap.answers(f"cidr:{tmp_path}/table", keys)
        table = open_cidr(text)
        assert {key: value for key in keys if (value := table.get(key))} == found, text
        assert {problem.line for problem in table.problems} == warned, text
