"""lint - looks at a compiled generation as a whole, before it goes live.

SUMMARY      run(subject, report) asks every check in CHECKS
RULES        a check is a small function whose docstring is one sentence for the administrator: what
             it looks for. It writes into the report under its name. Errors are what the engine
             could not obey or what no administrator can mean; the rest are warnings.
             Nothing long is read again but domains: tables are asked through the files just built.
NOT DONE     simulation of whole messages: explain does that with the engine's own code
SOURCE       postconf(5), ADDRESS_CLASS_README, SMTPD_ACCESS_README; Postfix smtpd_check.c
             (has_required), trivial-rewrite/resolve.c ("do not list domain in BOTH")
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from tables import parametertext, sizelimits, specs
from tables.domains import parse_network
from tables.errors import AddressSyntaxError, EntryError, ParameterError, TableError
from tables.formats.base import FailMap, Map
from tables.formats.reference import open_reference
from tables.parameters import REGISTRY, ParameterType, check, find
from tables.restrictions import RELAY_GUARDS, RestrictionCall
from tables.services import STANDARD
from tables.writing import classes
from tables.writing.report import Report
from tables.writing.rows import DomainKind, DomainRecord
from tables.writing.subject import Place, Subject, nested

Check = Callable[[Subject, Report], None]

# names that parameters of transports begin with, whether such a service runs or not
TRANSPORTS = frozenset({"pipe", *(each.name for each in STANDARD)})


def run(subject: Subject, report: Report) -> None:
    """Ask every check."""
    for one in CHECKS:
        one(subject, report)


def parameter_values(subject: Subject, report: Report) -> None:
    """Every parameter has a value of its own form."""
    for place, name, _ in subject.settings():
        parameter = find(name)
        if parameter is None or parameter.type is ParameterType.RESTRICTIONS or parameter.template:
            continue
        try:
            parametertext.check_value(parameter, place.parameters.text(name))
        except TableError as error:
            said = f"{place.label}{name}: {specs.discreet(name, error)}"
            report.error("parameter", subject.row(place, name), said)


def parameter_names(subject: Subject, report: Report) -> None:
    """Every parameter is one of postconf(5), or is used by another one."""
    services = {*TRANSPORTS, *(service.name for service in subject.content.services)}
    for place, name, text in subject.settings():
        if name in REGISTRY or name in subject.own_names:
            continue
        try:
            check(name, text, services=services)
        except ParameterError as error:
            if find(name) is None or name not in REGISTRY:
                report.warning(
                    "parameter-name",
                    subject.row(place, name),
                    f"{place.label}{name} has no effect. {error} Correct the name or remove it.",
                )


def restriction_words(subject: Subject, report: Report) -> None:
    """Every restriction exists and has the argument it needs."""
    for place, name, _ in subject.settings():
        parameter = find(name)
        if name in subject.classes or (
            parameter is not None and parameter.type is ParameterType.RESTRICTIONS
        ):
            try:
                subject.calls(place, name)
            except TableError as error:
                report.error(
                    "restriction", subject.row(place, name), f"{place.label}{name}: {error}"
                )
    for name in sorted(subject.classes):
        if name not in subject.content.parameters:
            report.error(
                "restriction",
                subject.row(subject.main, "smtpd_restriction_classes"),
                f"The restriction class {name} is announced in smtpd_restriction_classes, but has "
                "no value. Make a restriction list of that name, or take it out.",
            )


def class_loops(subject: Subject, report: Report) -> None:
    """No restriction class leads back to itself."""
    for name in sorted(subject.classes):
        pending, seen = [name], set()
        while pending:
            for call in subject.known_calls(subject.main, pending.pop()):
                if call.name == name:
                    report.error(
                        "class-loop",
                        subject.row(subject.main, name),
                        f"The restriction class {name} leads back to itself. Take {name} out of "
                        "it, or out of the classes it refers to.",
                    )
                    pending.clear()
                    break
                if call.name in subject.classes and call.name not in seen:
                    seen.add(call.name)
                    pending.append(call.name)


def missing_tables(subject: Subject, report: Report) -> None:
    """Every table that a parameter, a restriction or an access rule names exists, as that type."""
    for text, name, where, row in subject.references():
        try:
            reference = specs.parse_reference(text)
        except EntryError as error:
            report.error("table-reference", row, f"{where}: {specs.discreet(name, error)}")
            continue
        if specs.TYPES[reference.type].inline or reference.name.startswith("{"):
            try:
                open_reference(reference.text, _unopened)
            except EntryError as error:
                said = specs.discreet(name, error).rstrip(".")
                report.error("table-reference", row, f"{where}: {said}.")
            continue
        table = subject.content.tables.get(reference.name)
        if table is None:
            if reference.name not in subject.refused_tables:
                report.error(
                    "missing-table",
                    row,
                    f"{where} names the table {reference.text}, which does not exist. Make a table "
                    f"with the name {reference.name}, or take it out.",
                )
        elif not _same_type(table.type, reference.type):
            report.error(
                "missing-table",
                row,
                f"{where} names {reference.text}, but {reference.name} is a table of the type "
                f"{table.type}. Write {table.type}:{reference.name}.",
            )


def _unopened(table_type: str, name: str) -> Map:
    return FailMap(f"{table_type}:{name} is looked at by itself")


def _same_type(first: str, second: str) -> bool:
    both_indexed = specs.TYPES[first].indexed and specs.TYPES[second].indexed
    return first == second or both_indexed


def table_kinds(subject: Subject, report: Report) -> None:
    """A table is named where tables of its kind are asked."""
    for place, name, _ in subject.settings():
        wanted = specs.KIND_OF_PARAMETER.get(name, "text")
        if specs.KINDS[wanted].secret:
            continue  # open_passwords says so
        for item in subject.items(place, name):
            table = subject.table(item)
            if table is not None and not specs.suits(table.kind, wanted):
                report.warning(
                    "table-kind",
                    subject.row(place, name),
                    f"{place.label}{name} asks for tables of the kind {wanted}, {item} is of the "
                    f"kind {table.kind}. Check that this is the table you mean.",
                )


_HOLDS_VALUES = re.compile("(?:proxy:)*(?:static|inline|randmap):")  # in the reference itself


def open_passwords(subject: Subject, report: Report) -> None:
    """Passwords for other servers stand in tables whose values are shown to nobody."""
    for place, name, _ in subject.settings():
        if name not in specs.PASSWORD_MAPS:
            continue
        for item in subject.items(place, name):
            for reference in nested(item):
                table = subject.table(reference)
                if table is not None and not specs.KINDS[table.kind].secret:
                    problem = f"names {reference}, a table of the kind {table.kind}"
                    remedy = "Make it a table of the kind passwords."
                elif _HOLDS_VALUES.match(reference):
                    problem = "holds passwords itself"
                    remedy = "Put them into a table of the kind passwords."
                else:
                    continue
                report.warning(
                    "open-password",
                    subject.row(place, name),
                    f"{place.label}{name} {problem}, which are shown to whoever may see settings "
                    f"and tables. {remedy}",
                )


def unused_tables(subject: Subject, report: Report) -> None:
    """Every table is named somewhere."""
    used = set()
    for text, *_ in subject.references():
        try:
            used.add(specs.parse_reference(text).name)
        except EntryError:
            continue  # missing_tables says so
    for record in subject.rows.tables:
        if record.name in subject.content.tables and record.name not in used:
            report.warning(
                "unused-table",
                record.row,
                f"Nothing asks the table {record.name}. Name it in a parameter or a restriction as "
                f"{record.type}:{record.name}, or remove it.",
            )


def open_relay(subject: Subject, report: Report) -> None:
    """Mail from strangers to strangers is refused before anything permits it for good."""
    for place in subject.smtpd_places():
        lists = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
        if not any(_is_guarded(subject, place, name) for name in lists):
            report.error(
                "open-relay",
                subject.row(place, lists[0]) or subject.row(place, lists[1]),
                f"{place.label}Anybody could send mail to anywhere through this server. Put "
                "reject_unauth_destination into smtpd_relay_restrictions, before any permit.",
            )


def _is_guarded(subject: Subject, place: Place, name: str) -> bool:
    """True when a guard comes before a plain permit."""
    for call in _walk(subject, place, name, frozenset()):
        if call.name in RELAY_GUARDS and not call.warn_if_reject:
            return True
        if call.name == "permit":
            return False
    return False


def _walk(
    subject: Subject, place: Place, name: str, inside: frozenset[str]
) -> Iterator[RestrictionCall]:
    """The members of a list, those of its classes in their places."""
    for call in subject.known_calls(place, name):
        if call.name in subject.classes:
            if call.name not in inside and not call.warn_if_reject:
                yield from _walk(subject, place, call.name, inside | {call.name})
        else:
            yield call


def trusted_world(subject: Subject, report: Report) -> None:
    """mynetworks does not hold the whole Internet."""
    for place, name, _ in subject.settings():
        if name != "mynetworks":
            continue
        for item in subject.items(place, name):
            try:
                network = parse_network(item)
            except AddressSyntaxError:
                continue  # a table or a name
            if network.network.prefixlen == 0 and not network.excluded:
                report.error(
                    "trusted-world",
                    subject.row(place, name),
                    f"{place.label}mynetworks holds {item}, the whole Internet: anybody could send "
                    "mail to anywhere. Name your own networks only.",
                )


def size_limits(subject: Subject, report: Report) -> None:
    """No agent has a limit for mailboxes below the limit for messages."""
    for place in subject.places:
        for daemon, name in sizelimits.LIMITS.items():
            if not place.decides(daemon, name, MESSAGES):
                continue
            try:
                problem = sizelimits.conflict(place.parameters, daemon)
            except TableError:
                continue  # the check of values says so
            if problem:
                report.warning(
                    "size-limit",
                    subject.row(place, name) or subject.row(place, MESSAGES),
                    f"{place.label}{problem}: {daemon}(8) delivers nothing, and its mail waits. "
                    f"Raise {name}, or lower {MESSAGES}.",
                )


MESSAGES = "message_size_limit"


def closed_logins(subject: Subject, report: Report) -> None:
    """Where clients may log in, there is a service that Waypost can ask about them."""
    for place in subject.places:
        if not place.decides("smtpd", LOGINS, ASKED):
            continue
        try:
            asked = place.parameters.text(ASKED)
            is_closed = place.parameters.boolean(LOGINS) and asked != "dovecot"
        except TableError:
            continue  # the check of values says so
        if is_closed:
            report.warning(
                "closed-logins",
                subject.row(place, LOGINS) or subject.row(place, ASKED),
                f"{place.label}{LOGINS} lets nobody log in: {ASKED} is {asked}, and Waypost asks "
                f"Dovecot. Set {ASKED} to dovecot, and smtpd_sasl_path to its socket.",
            )


LOGINS, ASKED = "smtpd_sasl_auth_enable", "smtpd_sasl_type"

# resolve.c: these pairs contradict each other; local and relay together do not
CONTRADICTIONS = tuple(
    frozenset(pair)
    for pair in itertools.combinations(DomainKind, 2)
    if set(pair) != {DomainKind.LOCAL, DomainKind.RELAY}
)


def domain_classes(subject: Subject, report: Report) -> None:
    """No domain is in two address classes."""
    literals = subject.domain_classes.literals
    for domain in _domains_to_check(subject):
        name = domain.name.lower()
        kinds = subject.domain_classes.of(name)
        for other in sorted(kinds - {domain.kind}, key=lambda kind: kind.value):
            if frozenset((domain.kind, other)) in CONTRADICTIONS:
                parameter = classes.PARAMETERS[other]
                report.error(
                    "domain-class",
                    domain.row,
                    f"Domain {name} is hosted as {domain.kind.value}, but {parameter} has it too. "
                    f"Take it out of {parameter}, or remove the domain here.",
                )
    for name in sorted(frozenset().union(*literals.values())):
        if subject.domain_classes.is_hosted(name):
            continue
        kinds = subject.domain_classes.of(name)
        for pair in CONTRADICTIONS:
            if pair <= kinds:
                first, second = sorted(classes.PARAMETERS[kind] for kind in pair)
                report.warning(
                    "domain-class",
                    subject.row(subject.main, first) or subject.row(subject.main, second),
                    f"{name} is in {first} and in {second}. A domain has one class only: take it "
                    "out of one of the two.",
                )


def _domains_to_check(subject: Subject) -> Iterable[DomainRecord]:
    """All of them; the edited ones when what they may contradict is as it was and was good."""
    before, edits = subject.classes_before, subject.rows.domain_edits
    if before is None or edits is None or before.given != subject.domain_classes.given:
        return subject.rows.domains()
    return edits.records()


def own_aliases(subject: Subject, report: Report) -> None:
    """No address of a virtual alias domain has only itself as its destination."""
    for notes in subject.notes.values():
        for row, key in sorted(notes.own_aliases.items()):
            domain = key.rpartition("@")[2]
            if subject.domain_classes.of(domain) == {DomainKind.VIRTUAL_ALIAS}:
                report.warning(
                    "own-alias",
                    row,
                    f"{key} has only itself as its destination, and {domain} has no mailboxes: all "
                    "its mail bounces. Give it an address elsewhere, or remove the entry.",
                )


CHECKS: tuple[Check, ...] = (
    parameter_values,
    parameter_names,
    restriction_words,
    class_loops,
    missing_tables,
    table_kinds,
    open_passwords,
    unused_tables,
    open_relay,
    trusted_world,
    size_limits,
    closed_logins,
    domain_classes,
    own_aliases,
)
