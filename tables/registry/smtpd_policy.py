"""smtpd_policy - restriction lists, and what a refusal says."""

from __future__ import annotations

from tables.registry.base import (
    Parameter,
    boolean,
    choice,
    integer,
    items,
    restrictions,
    tables,
    template,
    text,
    time,
)

GROUP = "Access restrictions"

_ACTIONS = ("defer", "defer_if_permit", "defer_if_reject", "reject", "permit")


def _code(name: str, default: str, what: str) -> Parameter:
    return integer(name, default, f"Reply code {what}.", maximum=599)


def _tempfail(name: str, what: str) -> Parameter:
    return text(name, "$reject_tempfail_action", f"What to do when the look-up for {what} fails.")


PARAMETERS: tuple[Parameter, ...] = (
    boolean(
        "smtpd_delay_reject",
        "yes",
        "Wait for the first recipient before a restriction of client, HELO or sender refuses "
        "anything, so that the log shows what was tried.",
    ),
    restrictions(
        "smtpd_client_restrictions", "", "client", "What is asked about a client when it connects."
    ),
    restrictions(
        "smtpd_helo_restrictions",
        "",
        "helo",
        "What is asked when a client gives its name in HELO or EHLO.",
    ),
    restrictions(
        "smtpd_sender_restrictions", "", "sender", "What is asked about the sender address in MAIL."
    ),
    restrictions(
        "smtpd_relay_restrictions",
        "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, "
        "permit_sasl_authenticated, defer_unauth_destination}}",
        "relay",
        "Who may send mail to domains that are not ours. One of reject, defer, "
        "reject_unauth_destination or defer_unauth_destination must be in this list or "
        "in smtpd_recipient_restrictions.",
    ),
    restrictions(
        "smtpd_recipient_restrictions",
        "",
        "recipient",
        "What is asked about each recipient in RCPT, such as spam policy.",
    ),
    restrictions(
        "smtpd_data_restrictions",
        "",
        "data",
        "What is asked when a client says DATA; all recipients are known.",
    ),
    restrictions(
        "smtpd_end_of_data_restrictions",
        "",
        "end_of_data",
        "What is asked after the whole message was received.",
    ),
    restrictions("smtpd_etrn_restrictions", "", "etrn", "What is asked about ETRN."),
    items(
        "smtpd_restriction_classes",
        "",
        "Names of restriction lists that can be used like a restriction and in access tables.",
    ),
    boolean(
        "smtpd_relay_before_recipient_restrictions",
        "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
        "Ask the relay restrictions before the recipient restrictions.",
    ),
    boolean(
        "smtpd_reject_unlisted_recipient",
        "yes",
        "Refuse unknown recipients of our domains even when no restriction says so.",
    ),
    boolean(
        "smtpd_reject_unlisted_sender", "no", "Refuse senders in our domains that do not exist."
    ),
    tables(
        "smtpd_sender_login_maps", "", "Tables from sender addresses to the logins that own them."
    ),
    text(
        "smtpd_null_access_lookup_key",
        "<>",
        "What is looked up in access tables for the empty sender address.",
    ),
    text("smtpd_log_access_permit_actions", "", "Permitting actions that are logged."),
    items("maps_rbl_domains", "", "Old list of DNS lists for reject_maps_rbl."),
    tables("rbl_reply_maps", "", "Tables from DNS lists to the text of their refusal."),
    template(
        "default_rbl_reply",
        "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using "
        "$rbl_domain${rbl_reason?; $rbl_reason}",
        "Text of a refusal because of a DNS list.",
    ),
    template(
        "smtpd_expansion_filter",
        "\\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`"
        "abcdefghijklmnopqrstuvwxyz{|}~",
        "Characters that $name in a refusal's text may bring in; others become an underscore.",
    ),
    _code("access_map_reject_code", "554", "of REJECT in an access table"),
    _code("access_map_defer_code", "450", "of DEFER in an access table"),
    _code("reject_code", "554", "of the restriction reject"),
    _code("defer_code", "450", "of the restriction defer"),
    _code("invalid_hostname_reject_code", "501", "for an invalid HELO name"),
    _code("non_fqdn_reject_code", "504", "for a name that is not fully qualified"),
    _code("maps_rbl_reject_code", "554", "for a client or name on a DNS list"),
    _code("relay_domains_reject_code", "554", "for mail that will not be relayed"),
    _code("unknown_address_reject_code", "450", "for a domain without MX and address records"),
    _code("unknown_client_reject_code", "450", "for a client without a matching name"),
    _code("unknown_hostname_reject_code", "450", "for a HELO name without DNS records"),
    _code("unverified_sender_reject_code", "450", "for a sender that a probe found undeliverable"),
    _code("unverified_sender_defer_code", "450", "while a sender is being probed"),
    _code(
        "unverified_recipient_reject_code",
        "450",
        "for a recipient that a probe found undeliverable",
    ),
    _code("unverified_recipient_defer_code", "450", "while a recipient is being probed"),
    _code(
        "multi_recipient_bounce_reject_code", "550", "for an empty sender with several recipients"
    ),
    _code("plaintext_reject_code", "450", "of reject_plaintext_session"),
    text(
        "unverified_sender_reject_reason", "", "Text for a sender that a probe found undeliverable."
    ),
    text(
        "unverified_recipient_reject_reason",
        "",
        "Text for a recipient that a probe found undeliverable.",
    ),
    choice(
        "reject_tempfail_action",
        "defer_if_permit",
        "What to do when a look-up that a restriction needs fails for now.",
        _ACTIONS,
    ),
    _tempfail("unknown_address_tempfail_action", "an unknown sender or recipient domain"),
    _tempfail("unknown_helo_hostname_tempfail_action", "an unknown HELO name"),
    _tempfail("unverified_sender_tempfail_action", "a sender's probe"),
    _tempfail("unverified_recipient_tempfail_action", "a recipient's probe"),
    text(
        "smtpd_policy_service_default_action",
        "451 4.3.5 Server configuration problem",
        "Action when a policy service cannot be asked.",
    ),
    time(
        "smtpd_policy_service_timeout", "100s", "How long to wait for a policy service.", minimum=1
    ),
    time(
        "smtpd_policy_service_max_idle",
        "300s",
        "How long an unused connection to a policy service is kept.",
        minimum=1,
    ),
    time(
        "smtpd_policy_service_max_ttl",
        "1000s",
        "How long a connection to a policy service is used.",
        minimum=1,
    ),
    integer(
        "smtpd_policy_service_request_limit",
        "0",
        "Requests sent over one connection to a policy service; 0 means no limit.",
    ),
    integer(
        "smtpd_policy_service_try_limit", "2", "How often a policy service is asked.", minimum=1
    ),
    time(
        "smtpd_policy_service_retry_delay",
        "1s",
        "How long to wait before a policy service is asked again.",
        minimum=1,
    ),
    text("smtpd_policy_service_policy_context", "", "A text sent along to policy services."),
    text(
        "address_verify_map",
        "btree:$data_directory/verify_cache",
        "Where the results of address probes are kept.",
    ),
    text("address_verify_sender", "$double_bounce_sender", "Sender of address probes."),
    time("address_verify_sender_ttl", "0s", "How often the probes' sender address changes."),
    integer(
        "address_verify_poll_count",
        "${stress?{1}:{3}}",
        "How often the result of a probe is asked for before the client is told to come back.",
        minimum=1,
    ),
    time("address_verify_poll_delay", "3s", "How long to wait between these questions.", minimum=1),
    boolean("address_verify_negative_cache", "yes", "Keep the results of failed probes."),
    time(
        "address_verify_negative_expire_time",
        "3d",
        "How long a failed probe counts.",
        unit="d",
        minimum=1,
    ),
    time(
        "address_verify_negative_refresh_time",
        "3h",
        "When a failed probe is made again.",
        unit="h",
        minimum=1,
    ),
    time(
        "address_verify_positive_expire_time",
        "31d",
        "How long a good probe counts.",
        unit="d",
        minimum=1,
    ),
    time(
        "address_verify_positive_refresh_time",
        "7d",
        "When a good probe is made again.",
        unit="d",
        minimum=1,
    ),
    time(
        "address_verify_cache_cleanup_interval",
        "12h",
        "How often old results are removed.",
        unit="h",
    ),
    integer("address_verify_pending_request_limit", "5000", "Most probes under way.", minimum=1),
    text("address_verify_default_transport", "$default_transport", "default_transport for probes."),
    text("address_verify_local_transport", "$local_transport", "local_transport for probes."),
    text("address_verify_virtual_transport", "$virtual_transport", "virtual_transport for probes."),
    text("address_verify_relay_transport", "$relay_transport", "relay_transport for probes."),
    text("address_verify_relayhost", "$relayhost", "relayhost for probes."),
    tables("address_verify_transport_maps", "$transport_maps", "transport_maps for probes."),
    tables(
        "address_verify_sender_dependent_relayhost_maps",
        "$sender_dependent_relayhost_maps",
        "sender_dependent_relayhost_maps for probes.",
    ),
    tables(
        "address_verify_sender_dependent_default_transport_maps",
        "$sender_dependent_default_transport_maps",
        "sender_dependent_default_transport_maps for probes.",
    ),
)
