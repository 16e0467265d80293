"""regexp and pcre tables: rules, blocks, results, problems; the set against one by one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tables.errors import TableUnavailable
from tables.formats import pcre, regexp
from tables.formats.pcre import open_pcre
from tables.formats.regexp import open_regexp
from tables.formats.rules import Dialect, parse_rules
from tables.formats.ruleset import PatternMap
from tests.tables.formats.oracles import Postmap, needs_postmap

Open = Callable[[str], PatternMap]
both = pytest.mark.parametrize("open_table", [open_regexp, open_pcre])


class OneByOne(PatternMap):
    """The same table without its set: every pattern is tried by itself."""

    def _search(self, text: bytes) -> set[int] | None:
        return None


@both
def test_it_works(open_table: Open) -> None:
    table = open_table("/^(.*)-outgoing@(.*)$/ 554 Use $1@${2} instead\n/./ DUNNO\n")
    assert table.get("News-Outgoing@example.com") == "554 Use News@example.com instead"
    assert table.get("joe@example.com") == "DUNNO"
    assert table.get("") is None
    assert table.is_pattern


@both
def test_the_first_rule_that_matches_counts(open_table: Open) -> None:
    table = open_table("/b/ one\n/ab/ two\n/a/ three\n")
    assert [table.get(key) for key in ("ab", "a", "c")] == ["one", "three", None]


@both
def test_a_negated_rule_applies_when_the_pattern_does_not_match(open_table: Open) -> None:
    table = open_table("!/@/ no domain\n! !/x/ has x\n")
    assert [table.get(key) for key in ("joe", "x@y", "j@y")] == ["no domain", "has x", None]


@both
def test_blocks_enclose_rules_and_may_be_nested(open_table: Open) -> None:
    table = open_table(
        "if /@example/\nif !/^a/\n/^b/ b in\n!/c/ no c\nENDIF\n/^a/ a in\nendif\n/^a/ a out\n"
    )
    answers = [
        table.get(key) for key in ("b@example", "d@example", "cc@example", "a@example", "a@x")
    ]
    assert answers == ["b in", "no c", None, "a in", "a out"]


@both
def test_a_block_without_end_encloses_all_that_follows(open_table: Open) -> None:
    table = open_table("if /a/\n/b/ one\n")
    assert [table.get(key) for key in ("ab", "b")] == ["one", None]
    assert [str(problem) for problem in table.problems] == ["line 1: IF has no matching ENDIF"]


@both
def test_a_block_whose_pattern_is_bad_is_not_there(open_table: Open) -> None:
    table = open_table("if /(/\n/b/ one\nendif\n")
    assert table.get("b") == "one"
    assert [problem.line for problem in table.problems] == [1, 3]


def test_regexp_knows_a_second_pattern_that_must_not_match() -> None:
    table = open_regexp("/a(.)/!/b/ $1\n")
    assert [table.get(key) for key in ("ax", "axb")] == ["x", None]


@pytest.mark.parametrize(
    ("rule", "key", "result"),
    [
        ("/A/ x", "a", "x"),
        ("/A/i x", "a", None),
        ("/A/ii x", "a", "x"),
        ("/^b/ x", "a\nb", None),
        ("/^b/m x", "a\nb", "x"),
        ("/a(b)\\1/x x", "a(b)\x01", None),
        ("/a\\(b\\)\\1/x $1", "abb", "b"),
        ("/(week|wee)(night|knights)/ $1,$2", "weeknights", "wee,knights"),  # the longest of all
        ("/é./ x", "éa", "x"),
        ("|a|b| x", "a", None),  # the pattern is a, the flag b is unknown
        (",a\\,b, x", "a,b", "x"),
        ("/[[:digit:]]{3}/ x", "a123", "x"),
        ("/\\<b/ x", "a b", "x"),
        ("/a\\>/ x", "ab", None),
    ],
)
def test_regexp_flags_and_syntax(rule: str, key: str, result: str | None) -> None:
    assert open_regexp(f"{rule}\n").get(key) == result


@pytest.mark.parametrize(
    ("rule", "key", "result"),
    [
        ("/(a|ab)(c|bcd)(d*)/ $1,$2,$3", "abcd", "a,bcd,"),  # the first that works
        ("/^A/ x", "a", "x"),
        ("/^A/i x", "a", None),
        ("/a.b/ x", "a\nb", "x"),
        ("/a.b/s x", "a\nb", None),
        ("/b/A x", "ab", None),
        ("/a b # c/x x", "ab", "x"),
        ("/(a+)/U $1", "aaa", "a"),
        ("/a$/ x", "a\n", "x"),
        ("/a$/E x", "a\n", None),
        ("/(\\w)\\1/ $1", "hello", "l"),
        ("/q(?!u)(.)/ $1", "qua qi", "i"),
        ("/(?<=a)b/ x", "ab", "x"),
        ("/(?<y>a)\\k<y>/ $1", "aa", "a"),
        ("/^(?>a*)ab/ x", "aab", None),
        ("/\\d{2}(?(?=x)x|y)/ z", "12y", "z"),
        ("/^é$/ x", "É", None),  # bytes: only ASCII has letter case
    ],
)
def test_pcre_flags_and_syntax(rule: str, key: str, result: str | None) -> None:
    assert open_pcre(f"{rule}\n").get(key) == result


@both
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/unterminated", 'no closing regexp delimiter "/": skipping this rule'),
        ("/x/ $2", 'out of range replacement index "2": skipping this rule'),
        ("!/(x)/ $1", "$number found in negative match replacement text: skipping this rule"),
        ("/x/q y", 'unknown regexp option "q": skipping this rule'),
        ("word", "ignoring unrecognized request"),
        ("endif", "ignoring ENDIF without matching IF"),
        ("if", "no regexp: skipping this rule"),
    ],
)
def test_it_skips_bad_lines_and_says_why(open_table: Open, line: str, message: str) -> None:
    table = open_table(f"# comment\n{line}\n/x/ good\n")
    assert [str(problem) for problem in table.problems] == [f"line 2: {message}"]
    assert all(problem.skipped for problem in table.problems)
    assert table.get("x") == "good"


@both
@pytest.mark.parametrize(
    "rule", ["/x{{{0}}}/ y", "/x{{1,{0}}}/ y", "/(x)/ ${0}", "/(x)\\g{{{0}}}/ y"]
)
def test_it_survives_endless_numbers(open_table: Open, rule: str) -> None:
    table = open_table(f"{rule.format('9' * 10_000)}\n/b/ good\n")
    assert table.get("b") == "good"
    assert all(problem.line == 1 for problem in table.problems)


@both
def test_a_rule_without_result_is_kept_and_reported(open_table: Open) -> None:
    table = open_table("/x/\n")
    assert table.get("x") == ""
    assert [(p.line, p.skipped) for p in table.problems] == [(1, False)]


@both
def test_a_key_that_is_not_utf_8_is_not_found(open_table: Open) -> None:
    assert open_table("/^/ all\n").get("\udcff") is None


@both
def test_a_result_that_cuts_a_character_in_two_is_unavailable(open_table: Open) -> None:
    with pytest.raises(TableUnavailable):
        open_table("/^(.)/ $1\n").get("é")


PATTERNS = ["a", "b", "(a|b)c", "^a", "b$", "a.*c", "(.)\\1", "[^a]b", "^(a*)(b*)$", "c{2}", "^$"]


def random_rules(generator: random.Random) -> str:
    lines = []
    for number in range(generator.randrange(1, 15)):
        kind = generator.random()
        pattern = f"{generator.choice(['', '', '!'])}/{generator.choice(PATTERNS)}/"
        if kind < 0.75:
            lines.append(f"{pattern} result {number}")
        else:
            lines.append(f"if {pattern}" if kind < 0.9 else "endif")
    return "".join(f"{line}\n" for line in lines)


def random_keys(generator: random.Random, count: int) -> list[str]:
    return ["".join(generator.choices("abc", k=generator.randrange(1, 7))) for _ in range(count)]


@pytest.mark.parametrize("dialect", [regexp.DIALECT, pcre.DIALECT], ids=["regexp", "pcre"])
def test_the_set_equals_one_by_one(dialect: Dialect) -> None:
    generator = random.Random(20261122)
    found = 0
    for _ in range(150):
        rules = parse_rules(random_rules(generator), dialect)
        keys = [*random_keys(generator, 20), "ab\n"]
        together = [PatternMap(rules).get(key) for key in keys]
        assert [OneByOne(rules).get(key) for key in keys] == together
        found += sum(value is not None for value in together)
    assert found > 300


@both
def test_thousands_of_rules_are_one_search(open_table: Open) -> None:
    rules = "".join(f"/^user{n}@(.*)$/ box{n} $1\n" for n in range(3000))
    table = open_table(rules)
    assert table.get("user2999@example.com") == "box2999 example.com"
    assert table.get("user3000@example.com") is None


@needs_postmap
@pytest.mark.parametrize(("name", "open_table"), [("regexp", open_regexp), ("pcre", open_pcre)])
def test_it_equals_postmap(name: str, open_table: Open, tmp_path: Path) -> None:
    generator = random.Random(5)
    postmap = Postmap(tmp_path)
    for _ in range(25):
        text = random_rules(generator) + generator.choice(["", "endif\n", "/(/ x\n", "/a/ $3\n"])
        (tmp_path / "table").write_text(text)
        keys = sorted(set(random_keys(generator, 30)))
        found, warned = postmap.answers(f"{name}:{tmp_path}/table", keys)
        table = open_table(text)
        assert {key: value for key in keys if (value := table.get(key))} == found, text
        assert {problem.line for problem in table.problems} == warned, text
