"""main.cf and master.cf become rows of Parameter and Service."""

from __future__ import annotations

from pathlib import Path

import pytest

from panel.models import Parameter, Service
from panel.services.importer.report import Level
from tests.panel.services.importer.conftest import Import, said

MODERN = "compatibility_level = 3.6\n"


def parameters() -> dict[str, str]:
    return dict(Parameter.objects.values_list("name", "value"))


def test_it_works(importing: Import) -> None:
    report = importing(
        MODERN + "myhostname = mx.example.com\nmydestination = $myhostname,\n  localhost\n",
        {"master.cf": "smtp inet n - n - 20 smtpd -o smtpd_helo_required=yes\n"},
    )
    found = parameters()
    assert found["myhostname"] == "mx.example.com"
    assert found["mydestination"] == "$myhostname, localhost"
    service = Service.objects.get(enabled=True)
    assert (service.name, service.type, service.maxproc) == ("smtp", "inet", 20)
    assert service.overrides == {"smtpd_helo_required": "yes"}
    assert "main.cf:2: understood: myhostname = mx.example.com" in said(report, Level.UNDERSTOOD)
    assert not report.counts[Level.WRONG]


def test_defaults_of_postfix_are_put_in_where_ours_differ(importing: Import) -> None:
    importing("myhostname = mx.example.com\n", {"../aliases": "root: joe\n"})
    found = parameters()
    assert found["compatibility_level"] == "0"
    assert found["local_recipient_maps"] == "unix:passwd.byname $alias_maps"
    assert found["alias_maps"] == "hash:aliases"


def test_what_is_set_twice_counts_as_the_last_says(importing: Import) -> None:
    report = importing(MODERN + "myorigin = a.example\nmyorigin = b.example\n")
    assert parameters()["myorigin"] == "b.example"
    assert said(report, Level.LEFT_OUT)[0].startswith("main.cf:2: left out: myorigin is set again")


def test_unknown_parameters_are_left_out_with_a_suggestion(importing: Import) -> None:
    report = importing(MODERN + "my_destination = x\nown = a.example\nrelayhost = $own\n")
    found = parameters()
    assert "my_destination" not in found
    assert found["own"] == "a.example"  # something refers to it
    assert any("Did you mean mydestination?" in text for text in said(report, Level.LEFT_OUT))


def test_a_value_that_cannot_be_is_kept_and_said(importing: Import) -> None:
    report = importing(MODERN + "smtpd_helo_required = maybe\n")
    assert parameters()["smtpd_helo_required"] == "maybe"
    assert said(report, Level.WRONG)[0].startswith("main.cf:2: wrong: smtpd_helo_required: ")


def test_names_of_2000_are_translated(importing: Import) -> None:
    report = importing(
        "virtual_maps = dbm:/etc/postfix/virtual\nrelay_domains = $mydestination $virtual_maps\n"
        "fallback_relay = [gw.example]\n",
        {"virtual": "a@example.com joe\n"},
    )
    found = parameters()
    assert found["virtual_alias_maps"] == "hash:virtual"
    assert found["relay_domains"] == "$mydestination $virtual_alias_maps"
    assert found["smtp_fallback_relay"] == "[gw.example]"
    assert "virtual_maps" not in found
    # and so are the defaults that its words take for granted
    assert found["mydestination"] == "$myhostname, localhost.$mydomain"
    assert found["append_dot_mydomain"] == "yes"
    assert any("is called virtual_alias_maps now" in text for text in said(report, "approximated"))


@pytest.mark.parametrize("main", ["myhostname = a.example\n", MODERN + "virtual_maps = hash:x\n"])
def test_other_times_keep_other_defaults(importing: Import, main: str) -> None:
    importing(main, {"x": "a b\n"})
    assert "mydestination" not in parameters()


def test_the_caller_can_say_that_it_is_of_2000(importing: Import) -> None:
    importing("myhostname = a.example\n", old_defaults=True)
    assert parameters()["mynetworks_style"] == "class"


def test_bad_lines_of_master_cf_are_left_out(importing: Import) -> None:
    report = importing(
        MODERN,
        {"master.cf": "smtp inet n\nqmgr unix n - n 300 1 qmgr\nx unix - - n - - smtp -o a=b\n"},
    )
    assert set(Service.objects.filter(enabled=True).values_list("name", flat=True)) == {"qmgr", "x"}
    assert Service.objects.get(name="x").overrides == {}
    left_out = said(report, Level.LEFT_OUT)
    assert any(text.startswith("master.cf:1: left out: This is no service") for text in left_out)
    assert any("-o a has no effect" in text for text in left_out)
    assert any("does the work of qmgr itself" in text for text in said(report, "approximated"))


def test_a_standard_service_that_is_not_there_is_switched_off(importing: Import) -> None:
    report = importing(MODERN, {"master.cf": "smtp unix - - n - - smtp\n"})
    assert not Service.objects.get(name="smtp", type="inet").enabled
    assert Service.objects.get(name="smtp", type="unix").enabled
    text = "master.cf: understood: smtp inet is not there: it is switched off."
    assert text in said(report, Level.UNDERSTOOD)


def test_without_a_master_cf_nothing_is_switched_off(importing: Import) -> None:
    importing(MODERN)
    assert not Service.objects.exists()


def test_without_replace_other_rows_stay(importing: Import) -> None:
    importing(MODERN + "myorigin = a.example\nmyhostname = a.example\n")
    importing(MODERN + "myhostname = b.example\n", replace=False)
    assert parameters()["myorigin"] == "a.example"
    assert parameters()["myhostname"] == "b.example"


def test_what_has_no_effect_here_is_said(importing: Import) -> None:
    report = importing(
        MODERN + "smtpd_milters = inet:127.0.0.1:8891\nbiff = yes\nbody_checks_size_limit = 9\n",
        {"master.cf": "smtp inet n - n - - smtpd\n  -o smtpd_proxy_filter=127.0.0.1:10025\n"},
    )
    text = "\n".join(said(report, Level.APPROXIMATED))
    assert "main.cf:2: approximated: smtpd_milters = inet:127.0.0.1:8891: No effect: the " in text
    assert "-o smtpd_proxy_filter=127.0.0.1:10025: No effect: there is no filter before" in text
    assert "biff" not in text, "it asks for nothing but the default"
    assert parameters()["smtpd_milters"] == "inet:127.0.0.1:8891"


def test_the_origin_may_be_in_a_file(importing: Import, etc: Path) -> None:  # Debian's default
    (etc.parent / "mailname").write_text("corp.example\nother\n")
    report = importing(MODERN + "myorigin = /etc/mailname\n")
    assert parameters()["myorigin"] == "corp.example"
    assert any("/etc/mailname says" in text for text in said(report, Level.APPROXIMATED))
    report = importing(MODERN + "myorigin = /etc/nowhere\n")
    assert "myorigin" not in parameters()
    assert any("/etc/nowhere is not there" in text for text in said(report, Level.LEFT_OUT))


def test_nothing_is_said_of_tables_that_nothing_here_asks(importing: Import) -> None:
    report = importing(MODERN + "smtp_tls_session_cache_database = btree:${data_directory}/x\n")
    assert len([text for text in said(report, Level.LEFT_OUT) if "session_cache" in text]) == 1
