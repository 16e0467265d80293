"""The words of reports, from a file in the form of bounce(5); what Postfix 3.7 makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.addressees import ReportKind
from delivery.templates import PROBLEMS, TEXT_LIMIT, Template, Templates, built_in, read_templates
from tables.parameters import Parameters

PARAMETERS = Parameters(
    {
        "myhostname": "mx.xn--mnchen-3ya.example",
        "mydomain": "xn--mnchen-3ya.example",
        "mail_name": "Grüße",
        "delay_warning_time": "90m",
        "maximal_queue_lifetime": "5d",
        "own_name": "made up",
        "smtpd_banner": "a\nb",
    }
)
OURS = built_in(PARAMETERS)
NAMES = ("failure_template", "delay_template", "success_template", "verify_template")


def document(*lines: str, name: str = "failure_template") -> str:
    return "".join(f"{line}\n" for line in (f"{name} = <<EOF", *lines, "EOF"))


def read(text: str, parameters: Parameters = PARAMETERS) -> tuple[Templates, list[str]]:
    return read_templates(text, parameters)


def failure(*lines: str) -> Template:
    templates, problems = read(document(*lines))
    assert problems == []
    return templates[ReportKind.FAILURE]


def test_it_works() -> None:
    text = "# ours\n\n" + document(
        "Charset: iso-8859-1",
        "FROM: MAILER-DAEMON (Our Post)",
        "Subject : Sorry, $myhostname",
        "postmaster-subject:  Copy  ",
        "",
        "  ",
        "This is $myhostname.",
        "",
        "  \\ $$5 and ${mail_name}, $(own_name)",
        "",
    )
    templates, problems = read(text)
    assert problems == []
    assert templates[ReportKind.FAILURE] == Template(
        charset="iso-8859-1",
        sender="MAILER-DAEMON (Our Post)",
        subject="Sorry, $myhostname",
        copy_subject="Copy",
        text=("This is mx.xn--mnchen-3ya.example.", "", "  \\ $5 and Gr????e, made up", ""),
    )
    others = [kind for kind in ReportKind if kind is not ReportKind.FAILURE]
    assert all(templates[kind] == OURS[kind] for kind in others)


def test_each_report_has_its_template() -> None:
    templates, problems = read("".join(document(name, name=name) for name in NAMES))
    assert problems == []
    assert {kind: template.text for kind, template in templates.items()} == {
        ReportKind.FAILURE: ("failure_template",),
        ReportKind.DELAY: ("delay_template",),
        ReportKind.SUCCESS: ("success_template",),
        ReportKind.CLEARED: ("success_template",),
        ReportKind.TRACE: ("verify_template",),
    }
    for kind, template in templates.items():
        assert template.subject == OURS[kind].subject
        assert template.copy_subject == OURS[kind].copy_subject


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("no headers",), ("no headers",)),
        (("Subject: x", "no empty line"), ("no empty line",)),
        (("Subject: x", " y", "", "z"), (" y", "", "z")),
        (("X Y: z", "more"), ("X Y: z", "more")),
        (("", "", "Subject: x", " ", "Subject: y"), ("Subject: y",)),
        ((" ", "Subject: x"), ("Subject: x",)),
    ],
)
def test_where_the_text_begins(lines: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert failure(*lines).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failure_template = one line\n", ("one line",)),
        ("failure_template=<<  E X  \na\n E X\nE X \nE X\n", ("a", " E X", "E X ")),
        ("failure_template=<<EOF\r\na\r\n\r\nEOF\r\n", ("a", "")),
        (document("first") + document("second"), ("second",)),
        (" # not read = <<EOF\n  failure_template =<<EOF\na\nEOF", ("a",)),
    ],
)
def test_forms_of_the_file(text: str, expected: tuple[str, ...]) -> None:
    templates, problems = read(text)
    assert (templates[ReportKind.FAILURE].text, problems) == (expected, [])


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("Subject:", "", "x"), "the header Subject is empty"),
        (("Subjct: y", "", "x"), "there is no header Subjct"),
        (("Subject: \xe9", "", "x"), "the header Subject is too long, or not printable ASCII"),
        (("Subject: a\rb", "", "x"), "the header Subject is too long, or not printable ASCII"),
        ((f"From: {'x' * 999}", "", "x"), "the header From is too long, or not printable ASCII"),
        (("Subject: y", "", " "), "there is no text"),
        ((), "there is no text"),
        (("\udce9",), "the text is not ASCII, so it needs another Charset than us-ascii"),
        (("Charset: US-ASCII", "", "\xe9"), "the text is not ASCII, so it needs another Charset"),
        (("a\0b",), "the text has octets that mail cannot have"),
        (("a\rb",), "the text has octets that mail cannot have"),
        (("$nosuch",), "There is no parameter nosuch."),
        (("$mail_nam",), "There is no parameter mail_nam. Did you mean mail_name?"),
        (("a $ b",), "A name is missing"),
        (("${mail_name",), 'The closing "}" is missing'),
        (("$delay_warning_time_foo",), "$delay_warning_time_foo must end in one of _seconds, "),
        (("$own_name" * 9,) * (TEXT_LIMIT // 60), f"the text is longer than {TEXT_LIMIT}"),
    ],
)
def test_a_template_with_a_mistake_does_not_count(lines: tuple[str, ...], problem: str) -> None:
    templates, problems = read(document("good", name="verify_template") + document(*lines))
    assert len(problems) == 1
    assert problems[0].startswith(f"failure_template: {problem}")
    assert problems[0].endswith("; the built-in text is used")
    assert templates[ReportKind.FAILURE] == OURS[ReportKind.FAILURE]
    assert templates[ReportKind.TRACE].text == ("good",)


@pytest.mark.parametrize("name", ["success_template", "verify_template"])
def test_there_are_no_copies_of_some_reports(name: str) -> None:
    templates, problems = read(document("Postmaster-Subject: x", "", "y", name=name))
    assert templates == OURS
    [problem] = problems
    assert problem.startswith(f"{name}: the postmaster gets no copies, so Postmaster-Subject ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("junk\n", 'line 2: "name = <<EOF" is expected; what follows is not read'),
        (" = <<EOF\n", 'line 2: "name = <<EOF" is expected; what follows is not read'),
        ("verify_template = <<\nx\n\n", 'line 2: a word is expected after "<<", without quotes; '),
        ("verify_template = <<'E'\nx\n", 'line 2: a word is expected after "<<", without quotes; '),
    ],
)
def test_after_a_line_that_is_none_nothing_is_read(text: str, problem: str) -> None:
    templates, problems = read(f"failure_template = good\n{text}" + document("x", name=NAMES[1]))
    [said] = problems
    assert said.startswith(problem)
    assert templates[ReportKind.FAILURE].text == ("good",)
    assert templates[ReportKind.DELAY] == OURS[ReportKind.DELAY]


def test_an_end_that_is_missing() -> None:
    templates, problems = read("failure_template = <<EOF\nSubject: x\n\nhello\n")
    assert templates[ReportKind.FAILURE].text == ("hello",)
    assert problems == ["failure_template: the line 'EOF' that ends it is missing"]


def test_unknown_templates_are_told_within_bounds() -> None:
    templates, problems = read("x_template = y\n" * 1000 + "failure_template = good\n")
    assert problems == ["x_template: there is no such template"] * PROBLEMS
    assert templates[ReportKind.FAILURE].text == ("good",)


def test_times_are_rounded_down() -> None:
    text = " ".join(
        f"$delay_warning_time_{unit} ${{maximal_queue_lifetime_{unit}}}"
        for unit in ("seconds", "minutes", "hours", "days", "weeks")
    )
    templates, problems = read(document(text + " $maximal_queue_lifetime"))
    assert templates[ReportKind.FAILURE].text == ("5400 432000 90 7200 1 120 0 5 0 0 5d",)
    assert [problem.partition(": ")[2] for problem in problems] == [
        "$delay_warning_time_seconds is 5400: take another unit",
        "$maximal_queue_lifetime_seconds is 432000: take another unit",
        "$maximal_queue_lifetime_minutes is 7200: take another unit",
        "$delay_warning_time_days is 0: take another unit",
        "$delay_warning_time_weeks is 0: take another unit",
        "$maximal_queue_lifetime_weeks is 0: take another unit",
    ]
    _, problems = read(document("$delay_warning_time_weeks"), Parameters({}))
    assert problems == [], "there are no warnings"


@pytest.mark.parametrize(
    ("charset", "utf8", "expected"),
    [
        ("us-ascii", "yes", "mx.münchen.example münchen.example Grüße"),
        ("UTF-8", "yes", "mx.münchen.example münchen.example Grüße"),
        ("utf-8", "no", "mx.xn--mnchen-3ya.example xn--mnchen-3ya.example Gr????e"),
        ("iso-8859-1", "yes", "mx.xn--mnchen-3ya.example xn--mnchen-3ya.example Gr????e"),
    ],
)
def test_names_are_shown_as_the_charset_can(charset: str, utf8: str, expected: str) -> None:
    parameters = PARAMETERS.with_overrides({"smtputf8_enable": utf8})
    text = document(f"Charset: {charset}", "", "$myhostname $mydomain $mail_name")
    templates, problems = read(text, parameters)
    assert (templates[ReportKind.FAILURE].text, problems) == ((expected,), [])


def test_a_value_is_never_a_line() -> None:
    assert failure("-$smtpd_banner-").text == ("-a b-",)


@pytest.mark.parametrize(
    ("warned", "lifetime", "expected"),
    [
        ("4h", "5d", ["more than 4 hour(s).", "until it is 5 day(s) old."]),
        ("20m", "8h", ["more than 20 minute(s).", "until it is 8 hour(s) old."]),
    ],
)
def test_our_warning_has_units_that_fit(warned: str, lifetime: str, expected: list[str]) -> None:
    values = {"delay_warning_time": warned, "maximal_queue_lifetime": lifetime}
    text = built_in(Parameters(values))[ReportKind.DELAY].text
    assert all(any(line.endswith(end) for line in text) for end in expected)


_WORDS = st.sampled_from(
    [
        *NAMES,
        *("x_template", " = ", "<<EOF", "\nEOF\n", "EOF", "\n", "\r\n", "\n\n", "\0", "#", " "),
        *("Charset: utf-8\n", "Charset: us-ascii\n", "From: a\n", "Subject: b\n", "Subject:\n"),
        *("Postmaster-Subject: c\n", "X: d\n", "text", "$", "$$", "$mail_name", "$nosuch", "${"),
        *("}", "?", ":", "{", "$delay_warning_time_hours", "$delay_warning_time_x", "é", "\udce9"),
    ]
)
_TEXT = st.lists(_WORDS | st.text(max_size=5), max_size=40).map("".join)


@given(_TEXT | st.builds(document, _TEXT, name=st.sampled_from(NAMES)))
def test_whatever_is_in_the_file_there_are_words(text: str) -> None:
    octets = text.encode("utf-8", "surrogatepass")
    templates, problems = read(octets.decode("utf-8", "surrogateescape"), Parameters({}))
    assert set(templates) == set(ReportKind)
    assert len(problems) <= PROBLEMS
    for kind, template in templates.items():
        assert template.text
        assert sum(map(len, template.text)) <= TEXT_LIMIT
        assert not set("\0\r\n") & set("".join(template.text))
        assert template.octets.endswith(b"\r\n")
        for header in (template.charset, template.sender, template.subject):
            assert header.isascii()
            assert header.replace("\t", " ").isprintable()
        assert bool(template.copy_subject) == bool(OURS[kind].copy_subject)
        assert not (template.is_eightbit and template.charset == "us-ascii")
