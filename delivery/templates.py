"""templates - the words of delivery reports: the engine's own, and those of a site's own file.

SUMMARY      built_in(parameters) -> Templates: for each kind of report a Template
             read_templates(text, parameters) -> (Templates, what is wrong with the file)
FORM         bounce(5): failure_template, delay_template, success_template, verify_template
                 name = <<EOF
                 headers Charset, From, Subject, Postmaster-Subject, one line each; an empty line
                 text with the $names of parameters, $$ for a $
                 EOF
             delay_warning_time_hours, maximal_queue_lifetime_days: that time in _seconds, _minutes,
             _hours, _days or _weeks, rounded down
RULES        what a template does not say is as in ours; one with a mistake does not count at all,
             and after a line that is none the rest of the file does not either
             success_template is for the end of a delay, too: in Postfix that is a success
             with smtputf8_enable, and unless Charset is of another kind, myhostname and mydomain
             have U-labels
LIMITS       TEXT_LIMIT octets and characters: of a file, and of a text with its $names filled in
ERRORS       none; postconf(5) has bounce(8) end where a $name is unknown, and no report is sent
SOURCE       bounce(5), postconf(5) bounce_template_file; Postfix bounce_template(3)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from delivery.addressees import ReportKind
from delivery.errors import DeliveryError
from delivery.trace import masked
from tables import domains
from tables.errors import TableError
from tables.expansion import expand
from tables.parameters import Parameters

TEXT_LIMIT = 100_000
PROBLEMS = 20  # of one file that are told
US_ASCII, UTF8 = "us-ascii", "utf-8"
_SHOWN = 200  # characters of one of them
_HEADER_LIMIT = 900  # octets; a line has 998, RFC 5322 2.1.1
_KINDS = {
    "failure_template": (ReportKind.FAILURE,),
    "delay_template": (ReportKind.DELAY,),
    "success_template": (ReportKind.SUCCESS, ReportKind.CLEARED),
    "verify_template": (ReportKind.TRACE,),
}
_FIELDS = {
    "charset": "charset",
    "from": "sender",
    "subject": "subject",
    "postmaster-subject": "copy_subject",
}
_HEADER = re.compile(r"([!-9;-~]+)[ \t]*:[:\s]*(.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNPRINTABLE = re.compile(r"[^\t -~]")
_TIMES = ("delay_warning_time", "maximal_queue_lifetime")
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604_800}
_MOST = 999  # of a unit below a day: bounce(5) wants another one then


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The words of one kind of report. `copy_subject` is for the postmaster, '' where none is."""

    charset: str = US_ASCII
    sender: str = "Mail Delivery System <MAILER-DAEMON>"  # cleanup completes the address
    subject: str
    copy_subject: str = ""
    text: tuple[str, ...]  # lines; octets of the charset, read as UTF-8 with surrogateescape

    @property
    def octets(self) -> bytes:
        """The text with CRLF line ends."""
        return "".join(f"{line}\r\n" for line in self.text).encode("utf-8", "surrogateescape")

    @property
    def is_eightbit(self) -> bool:
        """True when its text is not all ASCII."""
        return not all(line.isascii() for line in self.text)


Templates = Mapping[ReportKind, Template]


class TemplateError(DeliveryError):
    """What is wrong with a template, or with the file."""


def built_in(parameters: Parameters) -> Templates:
    """The engine's own words."""
    return {kind: _filled(each, parameters, []) for kind, each in _BUILT_IN.items()}


def read_templates(text: str, parameters: Parameters) -> tuple[Templates, list[str]]:
    """Those of a file, ours where it has none that can be used; and what is wrong with it."""
    problems: list[str] = []
    found: dict[str, list[str]] = {}
    try:
        for name, lines in _documents(text, problems):
            if name in _KINDS:
                found[name] = lines  # the last one counts
            else:
                problems.append(f"{name}: there is no such template")
    except TemplateError as error:
        problems.append(f"{error}; what follows is not read")
    templates = dict(built_in(parameters))
    for name, lines in found.items():
        notes: list[str] = []
        try:
            for kind in _KINDS[name]:
                notes.clear()
                templates[kind] = _filled(_parsed(_BUILT_IN[kind], lines), parameters, notes)
        except TemplateError as error:
            notes = [f"{error}; the built-in text is used"]
        problems += [f"{name}: {note}" for note in notes]
    return templates, [problem[:_SHOWN] for problem in problems[:PROBLEMS]]


def _documents(text: str, problems: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(name, lines) of each template. Raises TemplateError."""
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = map(str.strip, line.partition("="))
        if not equals or not name:
            raise TemplateError(f'line {number}: "name = <<EOF" is expected')
        if not value.startswith("<<"):
            yield name, [value]
            continue
        end = value[2:].strip()
        if not end[:1].isalnum():
            raise TemplateError(f'line {number}: a word is expected after "<<", without quotes')
        body = []
        for _, line in numbered:
            if line == end:
                break
            body.append(line)
        else:
            problems.append(f"{name}: the line {end!r} that ends it is missing")
        yield name, body


def _parsed(prototype: Template, lines: list[str]) -> Template:
    """The template in these lines, its $names as they are. Raises TemplateError."""
    given: dict[str, str] = {}
    start = 0
    while start < len(lines) and not lines[start]:
        start += 1
    while start < len(lines) and (match := _HEADER.match(lines[start])):
        label, value = match[1], match[2].rstrip()
        field = _FIELDS.get(label.lower())
        if field is None:
            raise TemplateError(f"there is no header {label}")
        if field == "copy_subject" and not prototype.copy_subject:
            raise TemplateError(f"the postmaster gets no copies, so {label} means nothing")
        if not value:
            raise TemplateError(f"the header {label} is empty")
        if _UNPRINTABLE.search(value) or len(value) > _HEADER_LIMIT:
            raise TemplateError(f"the header {label} is too long, or not printable ASCII")
        given[field] = value
        start += 1
    while start < len(lines) and not lines[start].strip():
        start += 1
    if start == len(lines):
        raise TemplateError("there is no text")
    template = replace(prototype, **given, text=tuple(lines[start:]))
    if any("\0" in line or "\r" in line for line in template.text):
        raise TemplateError("the text has octets that mail cannot have")
    if template.is_eightbit and template.charset.lower() == US_ASCII:
        raise TemplateError("the text is not ASCII, so it needs another Charset than us-ascii")
    return template


def _filled(template: Template, parameters: Parameters, notes: list[str]) -> Template:
    """The template with the values of its $names. Raises TemplateError."""
    values = _Values(template, parameters)
    lines, size = [], 0
    for line in template.text:
        try:
            lines.append(expand(line, values.find, recurse=False))
        except TableError as error:
            raise TemplateError(str(error)) from error
        size += len(lines[-1])
        if size > TEXT_LIMIT:
            raise TemplateError(f"the text is longer than {TEXT_LIMIT} characters")
    notes += values.notes
    return replace(template, text=tuple(lines))


class _Values:
    """What the $names of one template stand for."""

    def __init__(self, template: Template, parameters: Parameters) -> None:
        self.notes: list[str] = []  # a value in a unit that does not fit
        self._parameters = parameters
        is_utf8 = template.charset.lower() in (US_ASCII, UTF8)
        self._is_utf8 = is_utf8 and parameters.boolean("smtputf8_enable")

    def find(self, name: str) -> str:
        """Its value. Raises TableError for an unknown one."""
        for parameter in _TIMES:
            if name.startswith(f"{parameter}_"):
                return self._time(parameter, name)
        value = _CONTROL.sub(" ", self._parameters.text(name)).encode("utf-8", "replace").decode()
        if not self._is_utf8:
            return masked(value)
        return domains.display(value) if name in ("myhostname", "mydomain") else value

    def _time(self, parameter: str, name: str) -> str:
        seconds = self._parameters.seconds(parameter)
        unit = name.removeprefix(f"{parameter}_")
        if unit not in _UNITS:
            units = ", ".join(f"_{each}" for each in _UNITS)
            raise TemplateError(f"${name} must end in one of {units}")
        number = int(seconds // _UNITS[unit])
        if (number > _MOST and _UNITS[unit] < _UNITS["days"]) or (not number and seconds):
            self.notes.append(f"${name} is {number}: take another unit")
        return str(number)


_HELP = ("", "If you need help, please write to postmaster and include this report.")


def _ours(subject: str, *lines: str, copy_subject: str = "") -> Template:
    greeting = "This is the mail system at host $myhostname."
    text = (greeting, "", *lines, "", "                   The mail system")
    return Template(subject=subject, copy_subject=copy_subject, text=text)


_BUILT_IN = {
    ReportKind.FAILURE: _ours(
        "Undelivered Mail Returned to Sender",
        "Your message could not be delivered to the recipients listed below,",
        "and no further attempt will be made. It is attached to this report.",
        *_HELP,
        copy_subject="Postmaster Copy: Undelivered Mail",
    ),
    ReportKind.DELAY: _ours(
        "Delayed Mail (still being retried)",
        "THIS IS ONLY A WARNING. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN.",
        "",
        "Your message could not be delivered for more than ${{$delay_warning_time_hours} > {0}?"
        "{$delay_warning_time_hours hour(s)}:{$delay_warning_time_minutes minute(s)}}.",
        "It will be tried until it is ${{$maximal_queue_lifetime_days} > {0}?"
        "{$maximal_queue_lifetime_days day(s)}:{$maximal_queue_lifetime_hours hour(s)}} old.",
        *_HELP,
        copy_subject="Postmaster Warning: Delayed Mail",
    ),
    ReportKind.SUCCESS: _ours(
        "Successful Mail Delivery Report",
        "As you asked to be told: your message was delivered to the recipients",
        "listed below, or handed on to systems that may report to you themselves.",
    ),
    ReportKind.TRACE: _ours(
        "Mail Delivery Status Report",
        "As you asked to be told: this is what came of your message so far.",
    ),
    ReportKind.CLEARED: _ours(
        "Delayed Mail (delivered)",
        "You were told that your message was late. It has now been delivered",
        "to the recipients listed below, or handed on to other systems.",
    ),
}
