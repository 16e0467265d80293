"""Patterns: against the real libraries with random patterns; the bound on what a match costs."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable

import pytest

from tables.errors import TableUnavailable
from tables.formats.patterns import perl, posix
from tables.formats.patterns.backtrack import Budget, StepLimit
from tables.formats.patterns.pattern import Pattern
from tables.formats.patterns.perlsigns import Flags
from tables.formats.patterns.syntax import Node, PatternError
from tables.formats.pcre import open_pcre
from tables.formats.regexp import open_regexp
from tests.tables.formats.oracles import Pcre2, Regcomp, needs_pcre2, needs_regcomp

# No back references among these: glibc's regexec has been seen to crash on them.
POSIX = r"a b A . ( ( ) ) | * + ? [ab] [^a] ^ $ {1,2} {2} \w \b \B [[:upper:]] [-a] @ x ()"
BASIC = r"a b . \( \) \| * \+ \? ^ $ \{1,2\} ( | [^b]"
PERL = (
    r"a b A . ( ( ) ) | * + ? *? +? ?? *+ ++ [ab] [^a] ^ $ {1,2} {2} {,2} { } \w \b \B \d \s \1 \2"
    r" @ x [[:upper:]] [-a] (?:a|b) (?i) (?-i) (?= (?! (?<= (?<! (?> (?: (?| \K \z \Z \A \Qa.\E"
    r" \x41 \101 \12 \e [\d-] (?<n> (?P<m> \k<n> (?P=m) (?(1)a|b) \h \N \g{-1} [^\w] []a] (?s) (?m)"
    r" (?x) (?n) (?U) \. # (?(?=a)b|x) (?i:a) \cA ] (?^:A)"
)


def words(generator: random.Random, alphabet: str) -> list[bytes]:
    return ["".join(generator.choices(alphabet, k=n)).encode() for n in (0, 2, 3, 5, 7)]


def captured(pattern: Pattern, text: bytes) -> list[bytes] | None:
    """Match and groups, after making sure that both ways to ask agree."""
    groups = pattern.groups_of(text, Budget(1_000_000))
    assert pattern.matches(text, Budget(1_000_000)) == (groups is not None)
    return groups


def compiled(parse: Callable[[], tuple[Node, int]], *, longest: bool) -> Pattern | PatternError:
    try:
        tree, groups = parse()
        return Pattern(tree, groups, longest=longest)
    except PatternError as error:
        return error


@needs_regcomp
@pytest.mark.parametrize(("parts", "flags"), [(POSIX, (1, 3, 5)), (BASIC, (0, 2))])
def test_posix_patterns_equal_regcomp(parts: str, flags: tuple[int, ...]) -> None:
    generator = random.Random(20261122)
    library = Regcomp()
    compared = 0
    for _ in range(2500):
        source = "".join(generator.choices(parts.split(), k=generator.randrange(1, 8))).encode()
        flag = generator.choice(flags)
        # Without REG_NEWLINE glibc takes anchors inside a pattern for line ends now and then.
        texts = words(generator, "aabAB@x\n" if flag & 4 else "aabAB@x")
        expected = library.answers(source, flag, texts)
        options = {"extended": flag & 1 > 0, "fold": flag & 2 > 0, "newline": flag & 4 > 0}
        pattern = compiled(functools.partial(posix.parse, source, **options), longest=True)
        if expected is None or isinstance(pattern, PatternError):
            assert isinstance(pattern, PatternError), (source, flag)
            assert expected is None, (source, flag, pattern)
            continue
        for text, answer in zip(texts, expected, strict=True):
            ours = captured(pattern, text)
            assert (ours and ours[0]) == (answer and answer[0]), (source, flag, text)
            compared += ours is not None and ours == answer
    assert compared > 2000


@needs_pcre2
def test_perl_patterns_equal_pcre2() -> None:
    generator = random.Random(20261122)
    library = Pcre2()
    compared = 0
    for _ in range(2500):
        source = "".join(generator.choices(PERL.split(), k=generator.randrange(1, 8))).encode()
        chosen = {name: generator.random() < 0.2 for name in library.OPTIONS}
        texts = words(generator, "aabAB@x\n1 ")
        options = sum(library.OPTIONS[name] for name, on in chosen.items() if on)
        expected = library.answers(source, options, texts)
        pattern = compiled(functools.partial(perl.parse, source, Flags(**chosen)), longest=False)
        if expected is None or isinstance(pattern, PatternError):
            assert isinstance(pattern, PatternError), (source, chosen)
            assert expected is None or "not supported" in str(pattern), (source, chosen, pattern)
            continue
        for text, answer in zip(texts, expected, strict=True):
            assert captured(pattern, text) == answer, (source, chosen, text)
            compared += answer is not None
    assert compared > 800


A = "a" * 50


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("/(a+)+$/", A + "!"),
        ("/(a|aa)+$/", A + "!"),
        ("/(a|a?)+!$/", A),
        ("/^(([a-z])+.)+[A-Z]([a-z])+$/i", A + "!"),
        ("/(.*)*(.*)*(.*)*x$/", A * 100),
        ("/^(a?){50}a{50}b$/", A),
    ],
)
def test_classic_catastrophes_cost_nothing(rule: str, key: str) -> None:
    """RE2 takes these: time grows with the key, not with the ways to match it."""
    for open_table in (open_regexp, open_pcre):
        table = open_table(f"{rule} hit\n")
        assert not table.problems
        start = time.perf_counter()
        assert table.get(key) is None
        assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("kind", "rule", "key"),
    [
        ("pcre", r"/^(?=(a+)+$)/", A + "!"),
        ("pcre", r"/^(a+)+\1b$/", A + "cb"),
        ("pcre", r"/(a?){50}a{50}(?=b)/", A),
        ("pcre", r"/(.+)\1(?=@)/", "ab" * 30_000),
        ("pcre", r"/^((?!x)a|a)*+(?<=b)/", "a" * 200_000),
        ("pcre", r"/(?<!a)(b*)*c(?=d)/", "b" * 5_000 + "c"),
        ("regexp", r"/^(a*)*\1b$/", A + "cb"),
        ("regexp", r"/^(a*)(a*)(a*)(a*)\4\3\2\1b/", "a" * 300 + "xb"),
    ],
)
def test_what_re2_cannot_do_is_given_up_in_time(kind: str, rule: str, key: str) -> None:
    """The steps are limited: the answer is "unknown", in a fraction of a second, never "no"."""
    table = {"pcre": open_pcre, "regexp": open_regexp}[kind](f"{rule} hit\n")
    assert not table.problems
    start = time.perf_counter()
    with pytest.raises(TableUnavailable):
        table.get(key)
    assert time.perf_counter() - start < 2


def test_the_steps_are_shared_by_all_rules_of_a_look_up() -> None:
    table = open_pcre("".join(f"/^(?=(a+)+{n}$)/ hit\n" for n in range(50)))
    start = time.perf_counter()
    with pytest.raises(TableUnavailable):
        table.get(A + "!")
    assert time.perf_counter() - start < 2


def test_a_step_limit_is_not_a_miss() -> None:
    tree, groups = perl.parse(rb"^(a+)+\1b$", Flags())
    with pytest.raises(StepLimit):
        Pattern(tree, groups, longest=False).matches(b"a" * 50 + b"cb", Budget(1000))


@pytest.mark.parametrize(
    "rule",
    [
        "/((a{1,100}){1,100}){1,100}/",
        "/" + "(" * 300 + ")" * 300 + "/",
        "/a" + "*" * 3000 + "/",
        "/(" + "x{900}" * 900 + "){900}/",
    ],
)
def test_patterns_that_are_too_large_are_refused_when_opened(rule: str) -> None:
    for open_table in (open_regexp, open_pcre):
        start = time.perf_counter()
        table = open_table(f"{rule} hit\n/x/ other\n")
        assert [problem.line for problem in table.problems] == [1]
        assert table.get("x") == "other"
        assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "pattern", [rb"(?R)", rb"(a)(?1)", rb"(?C1)a", rb"(*UTF8)a", rb"\p{L}", rb"\X"]
)
def test_what_is_not_done_is_refused_not_guessed(pattern: bytes) -> None:
    with pytest.raises(PatternError, match="not supported"):
        perl.parse(pattern, Flags())
