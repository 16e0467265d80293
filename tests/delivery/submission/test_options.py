"""The command line of sendmail(1)."""

from __future__ import annotations

import pytest

from delivery.submission.options import Mode, Options, UsageError, read_options


def read(text: str) -> Options:
    return read_options(text.split())


def test_what_programs_write() -> None:
    options = read("-i -t -fann@far.example -F Ann -N success,delay -R hdrs -V id1 -- -joe ann")
    assert options.extracts
    assert not options.ends_at_dot
    assert options.sender == "ann@far.example"
    assert options.full_name == "Ann"
    assert options.notify == {"SUCCESS", "DELAY"}
    assert (options.ret, options.envid) == ("HDRS", "id1")
    assert options.recipients == ["-joe", "ann"]
    assert options.warnings == []


@pytest.mark.parametrize("text", ["joe -f ann", "joe -bs -q -- -t", "joe -q", "- -i"])
def test_no_option_comes_with_a_recipient(text: str) -> None:
    assert read(text) == Options(recipients=text.split())


@pytest.mark.parametrize("text", ["-om", "-oem", "-o7", "-U", "-h 3", "-L tag", "-A c", "-O x=y"])
def test_what_belongs_to_sendmails_daemon_is_ignored(text: str) -> None:
    assert read(f"{text} joe") == Options(recipients=["joe"])


@pytest.mark.parametrize("text", ["-i", "-oi"])
def test_dots_may_be_part_of_the_message(text: str) -> None:
    assert not read(text).ends_at_dot


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-bt", "unsupported: -bt"),
        ("-Xlog", "unsupported: -Xl"),
        ("-n joe", "-n option not supported"),
        ("-B 9BIT joe", "-B option needs 8BITMIME or 7BIT"),
        ("-oA joe", "-oA requires pathname"),
        ("-C /etc joe", "another configuration"),
        ("-f", "option requires an argument -- 'f'\nusage: sendmail [options]"),
        ("-d 1", "invalid option -- 'd'\nusage: sendmail [options]"),
        ("--version", "invalid option -- '-'\nusage: sendmail [options]"),
        ("-qX", "-qX is not implemented"),
        ("-qR", "specify: -qRsitename"),
        ("-qI", "specify: -qIqueueid"),
        ("-t -q", "-t can be used only in delivery mode"),
        ("-bs -t", "-t can be used only in delivery mode"),
        ("-bv -N never joe", "-N option cannot be used with -bv"),
        ("-bv -t", "-t option cannot be used with -bv"),
        ("-bp joe", "display queue mode requires no recipient"),
        ("-q joe", "flush queue mode requires no recipient"),
        ("-bi joe", "alias initialization mode requires no recipient"),
        ("-bs joe", "stand-alone mode requires no recipient"),
    ],
)
def test_what_cannot_be_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("-bp", Mode.LIST),
        ("-bi", Mode.NEW_ALIASES),
        ("-I", Mode.NEW_ALIASES),
        ("-bs", Mode.SESSION),
        ("-bh", Mode.NOTHING),
        ("-bm joe", Mode.ENQUEUE),
        ("-q15m joe", Mode.ENQUEUE),
        ("-q", Mode.FLUSH),
        ("-bp -bv", Mode.LIST),
    ],
)
def test_modes(text: str, mode: Mode) -> None:
    assert read(text).mode is mode


def test_the_queue_by_parts() -> None:
    assert read("-qRfar.example").site == "far.example"
    assert read("-qSfar.example").site == "far.example"
    assert read("-qI4jbqC56h6Vz0").queue_id == "4jbqC56h6Vz0"
    assert read("-f -q joe").sender == "-q"  # there it is a value
    assert read("-q -v").mode is Mode.FLUSH


@pytest.mark.parametrize(
    "text", ["-N bogus", "-N never,success", "-R what", f"-V {'x' * 101}", "-V jörg"]
)
def test_bad_dsn_options_are_left_out(text: str) -> None:
    options = read(f"{text} joe")
    assert len(options.warnings) == 1
    assert (options.notify, options.ret, options.envid) == (frozenset(), "", "")
