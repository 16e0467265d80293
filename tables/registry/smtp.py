"""smtp - the SMTP client, and the LMTP client, which has the same parameters under lmtp_."""

from __future__ import annotations

from dataclasses import replace

from tables.registry.base import (
    Parameter,
    ParameterType,
    boolean,
    choice,
    flags,
    integer,
    items,
    size,
    tables,
    text,
    time,
)

GROUP = "SMTP client"


def _timeout(name: str, default: str, what: str) -> Parameter:
    return time(name, default, f"How long to wait for {what}.", minimum=1)


SMTP: tuple[Parameter, ...] = (
    text("smtp_helo_name", "$myhostname", "Name said in EHLO and HELO."),
    time(
        "smtp_connect_timeout",
        "30s",
        "How long to wait for a connection; 0 leaves it to the system.",
    ),
    _timeout("smtp_helo_timeout", "300s", "the greeting, and for the reply to EHLO or HELO"),
    _timeout("smtp_xforward_timeout", "300s", "the reply to XFORWARD"),
    _timeout("smtp_starttls_timeout", "300s", "a TLS handshake"),
    _timeout("smtp_mail_timeout", "300s", "the reply to MAIL"),
    _timeout("smtp_rcpt_timeout", "300s", "the reply to RCPT"),
    _timeout("smtp_data_init_timeout", "120s", "the reply to DATA"),
    _timeout("smtp_data_xfer_timeout", "180s", "a part of the message to be taken"),
    _timeout("smtp_data_done_timeout", "600s", "the reply to the end of the message"),
    _timeout("smtp_rset_timeout", "20s", "the reply to RSET"),
    _timeout("smtp_quit_timeout", "300s", "the reply to QUIT"),
    boolean(
        "smtp_per_request_deadline",
        "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}",
        "Count the times for a whole command, not for each read.",
    ),
    size("smtp_min_data_rate", "500", "Bytes a second that keep a deadline moving.", minimum=1),
    integer(
        "smtp_mx_address_limit",
        "5",
        "Most addresses of mail exchangers that are tried for one message; 0 means all.",
    ),
    integer(
        "smtp_mx_session_limit",
        "2",
        "Most sessions for one delivery before it waits for the next attempt; 0 means all.",
    ),
    choice(
        "smtp_address_preference",
        "any",
        "Which kind of address is tried first.",
        ("any", "ipv4", "ipv6"),
    ),
    boolean(
        "smtp_balance_inet_protocols",
        "yes",
        "Leave room for both kinds of addresses within smtp_mx_address_limit.",
    ),
    boolean(
        "smtp_randomize_addresses", "yes", "Try addresses of equal preference in a random order."
    ),
    items(
        "smtp_path_mtu_discovery_exceptions",
        "",
        "Destinations (next hops, or addresses of servers) to which large packets may be cut up on"
        " the way: for paths that lose them, where mail times out at the end of the data.",
    ),
    text("smtp_bind_address", "", "IPv4 address of this machine from which to connect."),
    text("smtp_bind_address6", "", "IPv6 address of this machine from which to connect."),
    boolean(
        "smtp_bind_address_enforce",
        "no",
        "Let mail wait when the address to connect from cannot be used.",
    ),
    items(
        "smtp_fallback_relay",
        "$fallback_relay",
        "Hosts that take mail when its destination cannot be found or reached.",
    ),
    items("smtp_host_lookup", "dns", "How hosts are looked up: dns, native (the system's way)."),
    choice(
        "smtp_dns_support_level",
        "",
        "How much of DNS is used: nothing, plain, or DNSSEC.",
        ("", "disabled", "enabled", "dnssec"),
    ),
    flags(
        "smtp_dns_resolver_options",
        "",
        "Options of the look-up in the DNS.",
        ("res_defnames", "res_dnsrch"),
    ),
    tables("smtp_dns_reply_filter", "", "Tables that drop or ignore DNS records."),
    boolean(
        "smtp_defer_if_no_mx_address_found",
        "no",
        "Let mail wait when no mail exchanger of its domain has an address.",
    ),
    boolean(
        "smtp_cname_overrides_servername",
        "no",
        "Use the name an alias in the DNS points to, in place of the alias.",
    ),
    boolean("smtp_always_send_ehlo", "yes", "Say EHLO even when the greeting has no ESMTP."),
    boolean("smtp_never_send_ehlo", "no", "Never say EHLO."),
    boolean("smtp_skip_5xx_greeting", "yes", "Try the next server when one greets with 5xx."),
    boolean("smtp_skip_quit_response", "yes", "Do not wait for the reply to QUIT."),
    items("smtp_discard_ehlo_keywords", "", "Words in a reply to EHLO that are not believed."),
    tables(
        "smtp_discard_ehlo_keyword_address_maps",
        "",
        "Tables from server addresses to words in a reply to EHLO that are not believed.",
    ),
    size("smtp_line_length_limit", "998", "Longer lines of a message are broken; 0 means never."),
    boolean("smtp_quote_rfc821_envelope", "yes", "Quote addresses as RFC 5321 wants them."),
    boolean("smtp_send_xforward_command", "no", "Tell the server about the client, by XFORWARD."),
    boolean(
        "smtp_send_dummy_mail_auth",
        "no",
        "With smtp_sasl_auth_enable, say AUTH=<> in MAIL to servers that offer AUTH.",
    ),
    boolean(
        "smtp_send_bdat",
        "no",
        "Send messages by BDAT to servers that offer CHUNKING; Postfix always says DATA.",
    ),
    text("smtp_tcp_port", "smtp", "Port of servers that are named without one."),
    choice(
        "smtp_address_verify_target",
        "rcpt",
        "The command after which a probe stops.",
        ("rcpt", "data"),
    ),
    tables(
        "smtp_generic_maps",
        "",
        "Tables that rewrite addresses in mail that leaves by SMTP, for instance local ones.",
    ),
    tables("smtp_header_checks", "", "header_checks for mail that leaves."),
    tables("smtp_mime_header_checks", "", "mime_header_checks for mail that leaves."),
    tables("smtp_nested_header_checks", "", "nested_header_checks for mail that leaves."),
    tables("smtp_body_checks", "", "body_checks for mail that leaves."),
    tables("smtp_reply_filter", "", "Tables that replace replies of servers."),
    tables(
        "smtp_delivery_status_filter",
        "$default_delivery_status_filter",
        "Tables that replace the status of deliveries.",
    ),
    boolean(
        "smtp_connection_cache_on_demand",
        "yes",
        "Keep a connection for a while when much mail waits for its destination.",
    ),
    items(
        "smtp_connection_cache_destinations",
        "",
        "Destinations to which connections are always kept for a while.",
    ),
    time(
        "smtp_connection_cache_time_limit",
        "2s",
        "How long an unused connection is kept.",
        minimum=1,
    ),
    integer(
        "smtp_connection_reuse_count_limit",
        "0",
        "How often a connection is used; 0 means any number.",
    ),
    time("smtp_connection_reuse_time_limit", "300s", "How long a connection is used.", minimum=1),
    items(
        "smtp_pix_workarounds",
        "disable_esmtp,delay_dotcrlf",
        "Ways around faults of an old firewall.",
    ),
    tables("smtp_pix_workaround_maps", "", "Tables from server addresses to such ways around."),
    time("smtp_pix_workaround_delay_time", "10s", "How long delay_dotcrlf waits.", minimum=1),
    time(
        "smtp_pix_workaround_threshold_time",
        "500s",
        "Age of a message at which the ways around are taken.",
    ),
    boolean("smtp_sender_dependent_authentication", "no", "Log in with a password by sender."),
)

# the parameters of which the LMTP client's default is another one
_LMTP_DEFAULTS = {
    "lmtp_connect_timeout": "0s",
    "lmtp_tcp_port": "24",
    "lmtp_skip_quit_response": "no",
    "lmtp_fallback_relay": "",
    "lmtp_tls_secure_cert_match": "nexthop",
}
_LMTP_NAMES = {
    "smtp_helo_name": "lmtp_lhlo_name",
    "smtp_helo_timeout": "lmtp_lhlo_timeout",
    "smtp_discard_ehlo_keywords": "lmtp_discard_lhlo_keywords",
    "smtp_discard_ehlo_keyword_address_maps": "lmtp_discard_lhlo_keyword_address_maps",
}
_SMTP_ONLY = {"smtp_always_send_ehlo", "smtp_never_send_ehlo"}


def for_lmtp(parameter: Parameter) -> Parameter:
    """The parameter as the LMTP client has it."""
    name = _LMTP_NAMES.get(parameter.name, "lmtp_" + parameter.name.removeprefix("smtp_"))
    default = _LMTP_DEFAULTS.get(name, parameter.default.replace("$smtp_", "$lmtp_"))
    default = default.replace("{smtp_", "{lmtp_")
    help = parameter.help.replace("EHLO and HELO", "LHLO").replace("EHLO or HELO", "LHLO")
    help = help.replace("EHLO", "LHLO").replace("by SMTP", "by LMTP").replace("smtp_", "lmtp_")
    return replace(parameter, name=name, default=default, help=help)


PARAMETERS: tuple[Parameter, ...] = (
    *SMTP,
    *(for_lmtp(parameter) for parameter in SMTP if parameter.name not in _SMTP_ONLY),
    boolean("lmtp_assume_final", "no", "Take LMTP deliveries as final for success reports."),
    items("fallback_relay", "", "Old name of smtp_fallback_relay."),
    boolean(
        "ignore_mx_lookup_error",
        "no",
        "Use a domain's own address when its mail exchangers cannot be looked up.",
    ),
    boolean(
        "disable_dns_lookups",
        "no",
        "Look up no mail exchangers: every next hop is a host known to the system.",
    ),
    items(
        "known_tcp_ports",
        "lmtp=24, smtp=25, smtps=submissions=465, submission=587",
        "Names of ports that need no look-up.",
    ),
    Parameter(
        name="tcp_windowsize",
        type=ParameterType.SIZE,
        default="0",
        help="TCP window size of connections; 0 leaves it to the system.",
        unit="bytes",
    ),
)
