"""cidr - tables of networks and addresses; the first rule that matches counts.

SUMMARY      open_cidr(source text) -> CidrMap
RULES        a rule is network/bits result, [network]/bits result or address result; ! negates; a
             rule is about its own address family only. "if network/bits" ... "endif" encloses rules
             as in pattern tables, an "if" without "endif" encloses all that follows. Keys that are
             not an IPv4 or IPv6 address are not found. What Postfix skips is skipped.
COST         rules are kept by prefix length and network: a look-up is one dict access for each
             length in use, and one test for each negated rule
ERRORS       none when opening: what is wrong is in `problems`
SOURCE       cidr_table(5)
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from tables.errors import EntryError
from tables.formats.base import Problem
from tables.formats.lines import BLANKS, logical_lines

WIDTHS = {4: 32, 6: 128}
_OCTETS = {str(number): number for number in range(256)}  # inet_pton(3): no leading zeros
_WORD = re.compile(f"[^{BLANKS}]+")


@dataclass(frozen=True, slots=True)
class Network:
    """A network as numbers; `wanted` False: everything else of the family."""

    family: int
    number: int
    bits: int
    wanted: bool

    def holds(self, family: int, number: int) -> bool:
        """Return whether an address is meant; never across families."""
        if family != self.family:
            return False
        shift = WIDTHS[family] - self.bits
        return (number >> shift == self.number >> shift) is self.wanted


@dataclass(frozen=True, slots=True)
class Block:
    """An if: rules up to number `end` count only inside `network`."""

    network: Network
    end: int


@dataclass(frozen=True, slots=True)
class CidrRule:
    """One rule with the blocks around it."""

    network: Network
    value: str
    blocks: tuple[Block, ...]


class CidrMap:
    """A cidr table, ready to be asked."""

    __slots__ = ("_by_network", "_lengths", "_negated", "problems", "rules")

    is_pattern = True

    def __init__(self, rules: tuple[CidrRule, ...], problems: tuple[Problem, ...] = ()) -> None:
        self.rules = rules
        self.problems = problems
        # family -> bits -> the network's first bits -> rule numbers
        self._by_network: dict[int, dict[int, dict[int, list[int]]]] = {4: {}, 6: {}}
        self._negated: dict[int, list[int]] = {4: [], 6: []}
        for number, rule in enumerate(rules):
            network = rule.network
            if network.wanted:
                prefix = network.number >> (WIDTHS[network.family] - network.bits)
                same_length = self._by_network[network.family].setdefault(network.bits, {})
                same_length.setdefault(prefix, []).append(number)
            else:
                self._negated[network.family].append(number)
        self._lengths = {
            family: [(WIDTHS[family] - bits, found) for bits, found in lengths.items()]
            for family, lengths in self._by_network.items()
        }

    def get(self, key: str, /) -> str | None:
        """Return the result for an address, None for all other keys."""
        address = parse_address(key)
        if address is None:
            return None
        family, number = address
        hits: list[int] = []
        for shift, networks in self._lengths[family]:
            hits.extend(networks.get(number >> shift, ()))
        negated = self._negated[family]
        if not hits and not negated:
            return None
        hits.sort()
        resume = 0
        for candidate in heapq.merge(hits, negated) if negated else hits:
            if candidate < resume:
                continue
            rule = self.rules[candidate]
            for block in rule.blocks:
                if not block.network.holds(family, number):
                    resume = block.end
                    break
            else:
                if rule.network.wanted or rule.network.holds(family, number):
                    return rule.value
        return None


def parse_address(text: str) -> tuple[int, int] | None:
    """Return (4 or 6, number) of an address as inet_pton(3) reads it, None when it is none."""
    try:
        if ":" in text:
            return None if "%" in text else (6, int(IPv6Address(text)))
        first, second, third, fourth = text.split(".")
        octets = _OCTETS
        return 4, (octets[first] << 24 | octets[second] << 16 | octets[third] << 8 | octets[fourth])
    except (AddressValueError, KeyError, ValueError):
        return None


def parse_network(pattern: str, wanted: bool) -> Network:
    """Return the network of a rule; raise EntryError in Postfix's words."""
    text, mask = _split_mask(pattern)
    family = 6 if ":" in text else 4
    if mask is None:
        address = parse_address(text)
        if address is None:
            raise EntryError(f'bad address pattern: "{text}"')
        return Network(family, address[1], WIDTHS[family], wanted)
    if not (mask.isascii() and mask.isdigit()):
        raise EntryError(f'bad mask value in "{text}/{mask}"')
    bits = int(mask) if len(mask) < 10 else WIDTHS[family] + 1
    if bits > WIDTHS[family]:
        raise EntryError(f'bad mask length in "{text}/{mask}"')
    address = parse_address(text)
    if address is None:
        raise EntryError(f'bad network value in "{text}/{mask}"')
    shift = WIDTHS[family] - bits
    number = address[1] >> shift << shift
    if number != address[1]:
        better = IPv6Address(number) if family == 6 else IPv4Address(number)
        raise EntryError(
            f'non-null host address bits in "{text}/{mask}", '
            f'perhaps you should use "{better}/{bits}" instead'
        )
    return Network(family, number, bits, wanted)


def _split_mask(pattern: str) -> tuple[str, str | None]:
    """Return address and mask of address, address/mask, [address/mask] or [address]/mask."""
    rest: str | None = None
    if pattern.startswith("["):
        pattern, closing, rest = pattern[1:].partition("]")
        if not closing:
            raise EntryError(f"missing ']' character after \"[{pattern}\"")
        if rest.startswith("/"):
            return pattern, rest[1:]
        if rest:
            raise EntryError(f'garbage after "[{pattern}]"')
    text, slash, mask = pattern.partition("/")
    return text, mask if slash else None


def open_cidr(text: str) -> CidrMap:
    """Return the table with this source text."""
    parser = _Parser()
    for line, content in logical_lines(text):
        parser.line = line
        try:
            parser.read(content.rstrip(BLANKS))
        except EntryError as error:
            parser.problems.append(Problem(line, f"{error}: skipping this rule", skipped=True))
    return parser.finish()


class _Parser:
    """Collects the rules of one table."""

    def __init__(self) -> None:
        self.line = 0
        self.problems: list[Problem] = []
        self.rules: list[tuple[Network, str, tuple[int, ...]]] = []
        self.blocks: list[tuple[Network, int]] = []
        self.ends: dict[int, int] = {}
        self.open: list[int] = []

    def read(self, content: str) -> None:
        """Read one logical line."""
        if _is_word(content, "if"):
            pattern, wanted = _negation(content[2:])
            if not pattern:
                raise EntryError("no address pattern")
            network = parse_network(pattern, wanted)
            self.open.append(len(self.blocks))
            self.blocks.append((network, self.line))
        elif _is_word(content, "endif"):
            if content[5:].strip(BLANKS):
                raise EntryError("garbage after ENDIF")
            if not self.open:
                raise EntryError("ENDIF without IF")
            self.ends[self.open.pop()] = len(self.rules)
        else:
            body, wanted = _negation(content)
            found = _WORD.match(body)
            if found is None:
                raise EntryError("no address pattern")
            pattern = found[0]
            value = body[len(pattern) :].strip(BLANKS)
            network = parse_network(pattern, wanted)
            if not value:
                raise EntryError("no lookup result")
            self.rules.append((network, value, tuple(self.open)))

    def finish(self) -> CidrMap:
        """Report open blocks and return the table."""
        for block in reversed(self.open):
            problem = Problem(self.blocks[block][1], "IF has no matching ENDIF", skipped=False)
            self.problems.append(problem)
        blocks = [
            Block(network, self.ends.get(number, len(self.rules)))
            for number, (network, _) in enumerate(self.blocks)
        ]
        rules = (
            CidrRule(network, value, tuple(blocks[number] for number in opened))
            for network, value, opened in self.rules
        )
        return CidrMap(tuple(rules), tuple(self.problems))


def _is_word(content: str, word: str) -> bool:
    following = content[len(word) : len(word) + 1]
    is_longer = following.isascii() and following.isalnum()
    return content[: len(word)].lower() == word and not is_longer


def _negation(content: str) -> tuple[str, bool]:
    """Return what follows blanks and exclamation marks, and whether it is meant as it stands."""
    body = content.lstrip(BLANKS + "!")
    return body, content[: len(content) - len(body)].count("!") % 2 == 0
