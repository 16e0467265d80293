"""script - golden scripts for restriction lists, in the manner of Postfix's smtpd_acl.in.

A script (.in) is a configuration and a dialogue; what the checks answer is its .ref:

    name = value                 a parameter; an empty value takes it away
    table hash:name              the lines below, indented, are "key value"; regexp:name: patterns
    dns NAME TYPE DATA           a record; "broken NAME" cannot be found out
    service ENDPOINT ANSWER      a policy service's action
    probe ADDRESS STATUS REASON  what a probe finds
    own ADDRESS                  an address of this machine
    client NAME ADDRESS [REVERSE NAME | error]    a new connection
    login NAME, tls, pipelining  what is known of the connection
    helo NAME, mail <A>, rcpt <A>, data, eod SIZE, etrn NAME, rset

A dialogue line gives OK or the reply, then notes for the log and changed effects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from delivery.policy.checks import Checks, Deciding, Policy
from delivery.policy.facts import Facts, Probe, ProbeStatus, Stage, Tls
from delivery.policy.verdict import Decision
from delivery.routing.router import Router
from delivery.values import Client
from tables.addresses import parse_path
from tables.parameters import Parameters
from tests.delivery.twins_policy import MemoryAsk, MemoryTables


async def decided(deciding: Deciding) -> Decision:
    """The decision, waited for if need be."""
    return deciding if isinstance(deciding, Decision) else await deciding


BASE = {
    "myhostname": "mail.my.domain",
    "mydestination": "my.domain, mail.my.domain",
    "local_recipient_maps": "",
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "",
}


class Script:
    """One run of one script."""

    def __init__(self) -> None:
        self.raw = dict(BASE)
        self.tables = MemoryTables()
        self.ask = MemoryAsk()
        self.own: list[str] = []
        self.facts = Facts(stage=Stage.CONNECT, client=Client(address="192.0.2.1", port=25))
        self.checks: Checks | None = None

    async def run(self, text: str) -> str:
        """The .ref text."""
        lines = _Lines(text)
        out: list[str] = []
        for line in lines:
            out.append(f">>> {line}")
            word, _, rest = line.partition(" ")
            if line.startswith("#"):
                continue
            if rest.startswith("= ") or rest == "=":
                self._set(word, rest[1:].strip())
                continue
            if word == "table":
                body = lines.indented()
                out.extend(f"        {entry}" for entry in body)
                self._table(rest, body)
                continue
            out.extend(await self._command(word, rest))
        return "\n".join(out) + "\n"

    def _set(self, name: str, value: str) -> None:
        if value:
            self.raw[name] = value
        else:
            self.raw.pop(name, None)
            if name in BASE:
                self.raw[name] = ""
        self.checks = None

    def _table(self, reference: str, body: list[str]) -> None:
        if reference.startswith(("regexp:", "pcre:", "cidr:")):
            self.tables.add_source(reference, "\n".join(body) + "\n")
        else:
            pairs = (entry.partition(" ") for entry in body)
            self.tables.add(reference, {key: value.strip() for key, _, value in pairs})
        self.checks = None

    async def _command(self, word: str, rest: str) -> list[str]:
        match word:
            case "dns":
                name, kind, data = rest.split(maxsplit=2)
                self.ask.resolver.add(name, kind, data)
            case "broken":
                self.ask.resolver.broken.add(rest)
            case "service":
                endpoint, _, answer = rest.partition(" ")
                self.ask.services[endpoint] = answer
            case "probe":
                address, status, reason = (*rest.split(maxsplit=2), "", "")[:3]
                self.ask.probes[address] = Probe(ProbeStatus(status), reason)
            case "own":
                self.own.append(rest)
                self.checks = None
            case "login":
                self.facts = replace(self.facts, login=rest, sasl_method="PLAIN")
            case "tls":
                tls = Tls(protocol="TLSv1.3", cipher="AES", key_bits=256)
                self.facts = replace(self.facts, tls=tls)
            case "pipelining":
                self.facts = replace(self.facts, bad_pipelining=True)
            case _:
                return await self._dialogue(word, rest)
        return []

    async def _dialogue(self, word: str, rest: str) -> list[str]:
        if self.checks is None:
            parameters = Parameters(self.raw)
            router = Router(parameters, self.tables, self.own)
            self.checks = Checks(Policy(parameters, self.tables, router), self.ask)
        before = self.checks.effects
        decision = await self._check(self.checks, word, rest)
        lines = [_shown(decision)]
        lines.extend(f"    {note.kind}: {note.text}" for note in decision.notes)
        if self.checks.effects != before:
            lines.append(f"    {self.checks.effects}")
        return lines

    async def _check(self, checks: Checks, word: str, rest: str) -> Decision:
        facts = self.facts
        match word:
            case "client":
                name, address, *reverse = rest.split()
                client = Client(
                    name=name,
                    address=address,
                    port=4321,
                    reverse_name=reverse[0] if reverse else name,
                    forward_error="error" in reverse,
                )
                checks.new_message()
                self.facts = Facts(stage=Stage.CONNECT, client=client, server_port=25)
                return await decided(checks.client(self.facts))
            case "helo":
                self.facts = replace(facts, stage=Stage.EHLO, helo=rest)
                return await decided(checks.helo(self.facts))
            case "mail":
                checks.new_message()
                sender = parse_path(rest, smtputf8=True)
                self.facts = replace(facts, stage=Stage.MAIL, sender=sender, recipient_count=0)
                return await decided(checks.mail(self.facts))
            case "rcpt":
                recipient = parse_path(rest, smtputf8=True)
                asked = replace(facts, stage=Stage.RCPT, recipient=recipient)
                decision = await decided(checks.rcpt(asked))
                if not decision.refused:
                    count = facts.recipient_count + 1
                    self.facts = replace(facts, recipient=recipient, recipient_count=count)
                return decision
            case "data":
                return await decided(checks.data(replace(facts, stage=Stage.DATA)))
            case "eod":
                facts = replace(facts, stage=Stage.END_OF_MESSAGE, size=int(rest))
                return await decided(checks.end_of_data(facts))
            case "etrn":
                return await decided(
                    checks.etrn(replace(facts, stage=Stage.ETRN, etrn_domain=rest))
                )
            case "rset":
                checks.new_message()
                self.facts = replace(facts, sender=None, recipient=None, recipient_count=0)
                return Decision()
            case _:
                raise ValueError(f"no such command: {word}")


def _shown(decision: Decision) -> str:
    if not decision.refused:
        return "OK"
    return f"{decision.code} {decision.enhanced} {decision.text}"


class _Lines:
    """The lines of a script, without empty ones."""

    def __init__(self, text: str) -> None:
        self._lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        self._place = 0

    def __iter__(self) -> Iterator[str]:
        while self._place < len(self._lines):
            self._place += 1
            yield self._lines[self._place - 1]

    def indented(self) -> list[str]:
        """The indented lines that come next."""
        found: list[str] = []
        while self._place < len(self._lines) and self._lines[self._place][0] in " \t":
            found.append(self._lines[self._place].strip())
            self._place += 1
        return found


def run(path: Path) -> str:
    """The .ref text of one .in file; fails when the checks wait for anything real."""
    coroutine = Script().run(path.read_text())
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return str(stop.value)
    coroutine.close()
    raise AssertionError("a check suspended although every partner answers at once")
