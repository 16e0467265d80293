"""Parameters: what a form accepts, what the engine reads, and that Postfix agrees."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field

import pytest

from tables.errors import ParameterError
from tables.expansion import names
from tables.parameters import GROUPS, OLD_NAMES, REGISTRY, Parameters, ParameterType, check, find
from tables.registry import elsewhere


def test_it_works() -> None:
    parameters = Parameters({"myhostname": "mx.example.com", "mydestination": "$mydomain, $foo b"})
    assert parameters.text("myorigin") == "mx.example.com"
    assert parameters.items("mydestination") == ("example.com", "b")


@pytest.mark.parametrize(
    "value",
    [
        "geheim",
        "mx.example:joe:geheim",
        "static:{joe:geheim",
        "!inline:{x geheim}",
        "{mx joe:geheim}",
        "${geheim",
        "${x==geheim",
        "$",
    ],
)
def test_an_error_shows_no_password(value: str) -> None:
    with pytest.raises(ParameterError, match="passwords") as caught:
        check("smtp_sasl_password_maps", value)
    assert "geheim" not in str(caught.value)
    if "$" in value:
        with pytest.raises(ParameterError, match="passwords") as caught:
            Parameters({"smtp_sasl_password_maps": value}).text("smtp_sasl_password_maps")
        assert "geheim" not in str(caught.value)


def test_every_default_fits_its_own_parameter() -> None:
    parameters = Parameters({})
    for name, parameter in REGISTRY.items():
        check(name, parameter.default)
        parameters.value(name)
        assert parameter.help.endswith("."), name
        assert parameter.group in GROUPS
        assert (parameter.postfix_default is None) == (parameter.why == ""), name


def test_defaults_refer_to_parameters_that_exist() -> None:
    for name, parameter in REGISTRY.items():
        if not parameter.template:
            unknown = names(parameter.default) - REGISTRY.keys() - OLD_NAMES.keys()
            assert not unknown, name


def test_a_bare_number_counts_what_the_default_counts() -> None:  # mail_conf_time(3)
    for name, parameter in REGISTRY.items():
        if parameter.type is ParameterType.TIME and "$" not in parameter.default:
            assert parameter.unit == parameter.default[-1], name


def test_every_old_name_has_a_new_one() -> None:
    assert all(new in REGISTRY or elsewhere.why_not(new) for new in OLD_NAMES.values())


def test_a_parameter_that_only_postfix_has_is_no_slip_of_the_pen() -> None:
    with pytest.raises(ParameterError, match=r"^Waypost has no \w+ postscreen_greet_wait\. It"):
        check("postscreen_greet_wait", "5s")
    with pytest.raises(ParameterError, match="Did you mean smtpd_recipient_restrictions"):
        check("smtpd_recipent_restrictions", "")


needs_postfix = pytest.mark.skipif(
    shutil.which("postconf") is None, reason="needs the package postfix"
)


def postconf_defaults() -> dict[str, str]:
    said = subprocess.run(["postconf", "-d"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in said.splitlines():
        name, _, value = line.partition(" =")
        found[name] = value.strip()
    return found


@needs_postfix
def test_every_parameter_of_postfix_is_known_or_has_a_reason_why_not() -> None:
    names = postconf_defaults().keys()
    assert [name for name in names if find(name) is None and not elsewhere.why_not(name)] == []


@needs_postfix
def test_defaults_are_those_of_postfix() -> None:
    """postconf -d; where we differ on purpose the registry says what Postfix has."""
    postfix = postconf_defaults()
    ours = {
        name: parameter.default if parameter.postfix_default is None else parameter.postfix_default
        for name, parameter in REGISTRY.items()
        if not parameter.machine and name in postfix and name not in BUILT_IN
    }
    assert {name: " ".join(value.split()) for name, value in ours.items()} == {
        name: postfix[name] for name in ours
    }
    assert REGISTRY.keys() - postfix.keys() == OURS_OR_OLD


# names of other releases of Postfix, and what only Waypost has
OURS_OR_OLD = {
    "fallback_relay",
    "lmtp_path_mtu_discovery_exceptions",
    "lmtp_sasl_password_result_delimiter",
    "lmtp_send_bdat",
    "smtp_path_mtu_discovery_exceptions",
    "smtp_sasl_password_result_delimiter",
    "smtp_send_bdat",
    "virtual_mailbox_limit_maps",
    "virtual_maps",
}
# what a distribution decides when it builds the package
BUILT_IN = {
    "alias_maps",
    "alias_database",
    "command_directory",
    "config_directory",
    "daemon_directory",
    "data_directory",
    "import_environment",
    "export_environment",
    "mail_owner",
    "mail_spool_directory",
    "mail_version",
    "queue_directory",
}


# --- values ------------------------------------------------------------------------------------


def test_overrides_come_before_values_and_these_before_the_machine() -> None:
    parameters = Parameters(
        {"smtpd_banner": "main"}, {"smtpd_banner": "own"}, {"myhostname": "host.test"}
    )
    assert parameters.text("smtpd_banner") == "own"
    assert parameters.text("smtp_helo_name") == "host.test"
    assert parameters.with_overrides({"smtpd_banner": "other"}).text("smtpd_banner") == "other"
    known = Parameters({"myhostname": "set.test"}).with_defaults({"myhostname": "host.test"})
    assert known.text("myhostname") == "set.test"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("mx.example.com", "example.com"),
        ("bare", "localdomain"),
        ("mx.$mydomain", "localdomain"),
        ("$indirect", "localdomain"),
    ],
)
def test_the_domain_is_taken_from_the_host_name(host: str, domain: str) -> None:  # postconf(5)
    parameters = Parameters({"myhostname": host, "indirect": "mx.$mydomain"})
    assert parameters.text("mydomain") == domain


def test_values_have_their_types() -> None:
    parameters = Parameters(
        {
            "soft_bounce": "YES",
            "hopcount_limit": "7",
            "delay_warning_time": "4",
            "queue_run_delay": "2m",
            "message_size_limit": "1000",
            "mynetworks": "10.0.0.0/8 , [::1]/128",
            "alias_maps": "hash:a, inline:{ b=c, { d = e f } } static:x",
        }
    )
    assert parameters.boolean("soft_bounce") is True
    assert parameters.integer("hopcount_limit") == 7
    assert parameters.size("message_size_limit") == 1000
    assert parameters.seconds("delay_warning_time") == 4 * 3600.0  # its unit is the hour
    assert parameters.seconds("queue_run_delay") == 120.0
    assert parameters.items("mynetworks") == ("10.0.0.0/8", "[::1]/128")
    assert parameters.items("alias_maps") == (
        "hash:a",
        "inline:{ b=c, { d = e f } }",
        "static:x",
    )


def test_stress_changes_defaults() -> None:
    assert Parameters({}).seconds("smtpd_timeout") == 300.0
    assert Parameters({}, {"stress": "yes"}).seconds("smtpd_timeout") == 10.0


def test_templates_keep_their_names() -> None:
    assert Parameters({}).text("forward_path").startswith("$home/.forward${recipient_delimiter}")


def test_transports_have_parameters_of_their_own() -> None:  # postconf(5) transport_...
    parameters = Parameters({"slow_destination_rate_delay": "3s"})
    assert parameters.seconds("slow_destination_rate_delay") == 3.0
    assert parameters.integer("slow_destination_recipient_limit") == 50
    assert parameters.integer("local_destination_recipient_limit") == 1
    assert parameters.value("slow_time_limit") == 1000.0


def test_names_of_the_administrator_can_be_read_when_set() -> None:
    parameters = Parameters({"insiders_only": "check_sender_access hash:insiders, reject"})
    assert parameters.text("insiders_only").startswith("check_sender_access")
    with pytest.raises(ParameterError, match="Did you mean mydestination") as caught:
        parameters.text("mydestinaton")
    assert caught.value.name == "mydestinaton"
    assert parameters.is_set("insiders_only")
    assert not parameters.is_set("myhostname")


def test_endless_references_are_an_error() -> None:
    with pytest.raises(ParameterError, match="without end"):
        Parameters({"relayhost": "$luser", "luser": "$relayhost"}).text("relayhost")


# --- what a form calls ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("soft_bounce", "yes"),
        ("soft_bounce", "$strict_smtputf8"),
        ("recipient_delimiter", "+-"),
        ("mynetworks", "127.0.0.0/8, [::1]/128 !10.0.0.1 hash:nets /etc/nets $mydomain host.test"),
        ("notify_classes", "bounce, Software"),
        ("smtpd_recipient_restrictions", "permit_mynetworks, reject_unauth_destination"),
        ("smtpd_client_restrictions", "hash:clients"),
        ("virtual_alias_maps", "hash:virtual, proxy:hash:more, regexp:{ {/x/ y} }"),
        ("milter_default_action", "accept"),
        ("milter_default_action", "shutdown"),
        ("compatibility_level", "3.10.1"),
        ("relay_destination_concurrency_limit", "5"),
        ("smtpd_expansion_filter", "abc$%"),
        ("mailbox_command", "/usr/bin/procmail -a $extension"),
    ],
)
def test_it_accepts(name: str, value: str) -> None:
    check(name, value, services=("smtp", "relay"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("soft_bounce", "maybe", '"yes" or "no"'),
        ("hopcount_limit", "many", "whole number"),
        ("hopcount_limit", "0", "least possible value is 1"),
        ("reject_code", "600", "largest possible value is 599"),
        ("queue_run_delay", "5 minutes", "30s, 5m, 12h"),
        ("queue_run_delay", "0", "least possible value is 1 seconds"),
        ("maximal_queue_lifetime", "x", "counts days"),
        ("milter_default_action", "explode", "Write one of accept"),
        ("compatibility_level", "3.6 leading = space", "not a compatibility level"),
        ("notify_classes", "bounces", "Write one of bounce"),
        ("mynetworks", "10.0.0.1/8", "not a network"),
        ("virtual_alias_maps", "virtual", "type:name"),
        ("virtual_alias_maps", "mysql:virtual", "not supported"),
        ("smtpd_recipient_restrictions", "reject_unauth_destinaton", "Did you mean"),
        ("smtpd_data_restrictions", "hash:x", "needs a restriction"),
        ("myhostname", "${x", "missing"),
        ("mailbox_command", "run ${x", "missing"),
        ("smtpd_bannner", "x", "Did you mean smtpd_banner"),
        ("virtual_maps_", "x", "There is no parameter"),
        ("restriction_classes", "a", "use smtpd_restriction_classes"),
        ("slow_destination_rate_delay", "1s", "name of its service"),
        ("myorigin", "a\nb", "one line"),
    ],
)
def test_it_rejects_with_a_sentence(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as caught:
        check(name, value, services=("smtp", "relay"))
    assert caught.value.name == name


def test_it_takes_names_of_the_administrator() -> None:
    check("insiders_only", "reject", own_names=("insiders_only",))
    check("smtpd_sender_restrictions", "insiders_only", own_names=("insiders_only",))
    check("soft_bounce", "$mine", own_names=("mine",), others={"mine": "yes"})


# --- settings classes -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    soft_bounce: bool
    hopcount_limit: int
    message_size_limit: int
    queue_run_delay: float
    myhostname: str
    mynetworks: tuple[str, ...]
    alias_maps: str
    virtual_alias_maps: tuple[str, ...]
    smtpd_client_restrictions: str
    notice: str = field(metadata={"parameter": "2bounce_notice_recipient"})


def test_it_binds_by_field_name() -> None:
    parameters = Parameters({"virtual_alias_maps": "hash:a hash:b", "alias_maps": "hash:c, hash:d"})
    settings = parameters.bind(Settings)
    assert settings.virtual_alias_maps == ("hash:a", "hash:b")
    assert settings.alias_maps == "hash:c, hash:d"
    assert settings.queue_run_delay == 300.0
    assert settings.notice == "postmaster"
    assert parameters.bind(Settings) is settings


def test_binding_refuses_a_wrong_value() -> None:
    with pytest.raises(ParameterError, match="hopcount_limit: Write a whole number"):
        Parameters({"hopcount_limit": "x"}).bind(Settings)


@dataclass(frozen=True)
class WrongType:
    queue_run_delay: int


@dataclass(frozen=True)
class WrongName:
    queue_run_dellay: float


class NoDataclass:
    myhostname: str


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        (WrongType, "queue_run_delay must be <class 'float'>"),
        (WrongName, "there is no parameter queue_run_dellay"),
        (NoDataclass, "not a dataclass"),
    ],
)
def test_binding_refuses_a_wrong_class(cls: type, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        Parameters({}).bind(cls)


def test_find_knows_transports() -> None:
    slow = find("slow_destination_rate_delay")
    assert slow is not None
    assert (slow.type, slow.default) == (ParameterType.TIME, "$default_destination_rate_delay")
    assert find("_recipient_limit") is None
