"""smtpd - the SMTP server's dialogue: greeting, limits, times, what it announces."""

from __future__ import annotations

from tables.registry.base import (
    Parameter,
    boolean,
    choice,
    flags,
    integer,
    items,
    size,
    tables,
    template,
    text,
    time,
)

GROUP = "SMTP server"

PARAMETERS: tuple[Parameter, ...] = (
    text(
        "smtpd_banner",
        "$myhostname ESMTP $mail_name",
        "Text after 220 in the greeting. It must begin with the host name.",
    ),
    boolean("smtpd_helo_required", "no", "Refuse MAIL from clients that did not say HELO or EHLO."),
    boolean("disable_vrfy_command", "no", "Switch off the VRFY command."),
    boolean(
        "strict_rfc821_envelopes",
        "no",
        "Insist on angle brackets and on nothing else around addresses in MAIL and RCPT.",
    ),
    size(
        "message_size_limit",
        "10240000",
        "Largest message that is accepted, with its headers; it is announced by SIZE. 0 means no "
        "limit.",
    ),
    size(
        "queue_minfree",
        "0",
        "Free space that must be left on the queue's disk for mail to be accepted; 0 leaves the "
        "choice to the server.",
    ),
    size("header_size_limit", "102400", "Longest header; what is beyond it is cut off.", minimum=1),
    size(
        "line_length_limit", "2048", "Longest line of a command or header that is read.", minimum=1
    ),
    integer("smtpd_recipient_limit", "1000", "Most recipients of one message.", minimum=1),
    integer(
        "smtpd_recipient_overshoot_limit",
        "1000",
        "Recipients beyond smtpd_recipient_limit that do not yet count as errors.",
    ),
    time("smtpd_timeout", "${stress?{10}:{300}}s", "How long to wait for the client.", minimum=1),
    time(
        "smtpd_starttls_timeout",
        "${stress?{10}:{300}}s",
        "How long a TLS handshake with a client may take.",
        minimum=1,
    ),
    boolean(
        "smtpd_per_request_deadline",
        "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}",
        "Count smtpd_timeout for a whole command, not for each read.",
    ),
    size(
        "smtpd_min_data_rate",
        "500",
        "Bytes a second a client has to send to keep a deadline moving.",
        minimum=1,
    ),
    integer(
        "smtpd_soft_error_limit",
        "10",
        "Errors of a client after which replies are slowed down.",
        minimum=1,
    ),
    integer(
        "smtpd_hard_error_limit",
        "${stress?{1}:{20}}",
        "Errors of a client after which it is disconnected.",
        minimum=1,
    ),
    time("smtpd_error_sleep_time", "1s", "How long a reply to an error is held back."),
    integer(
        "smtpd_junk_command_limit",
        "${stress?{1}:{100}}",
        "NOOP, VRFY, ETRN and RSET commands after which each further one counts as an error.",
        minimum=1,
    ),
    items("smtpd_noop_commands", "", "Commands that are answered by 250 and have no effect."),
    items(
        "smtpd_forbidden_commands",
        "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}",
        "Commands that show a client is no mail client; it is disconnected at once.",
    ),
    boolean(
        "smtpd_forbid_unauth_pipelining",
        "no",
        "Disconnect a client that sends commands before it may.",
    ),
    choice(
        "smtpd_forbid_bare_newline",
        "yes",
        'Line ends that are not CRLF: refused, or made CRLF by "normalize", or let through. '
        "Letting them through makes forged messages possible (SMTP smuggling).",
        ("yes", "no", "normalize", "reject", "note"),
        postfix="no",
        why="a bare line feed must never end a message that others do not see end",
    ),
    items(
        "smtpd_forbid_bare_newline_exclusions",
        "$mynetworks",
        "Clients that may send bare line feeds.",
    ),
    integer(
        "smtpd_forbid_bare_newline_reject_code",
        "550",
        "Reply code for a message with bare line feeds.",
        maximum=599,
    ),
    boolean(
        "smtpd_delay_open_until_valid_rcpt",
        "yes",
        "Put nothing on disk before the first recipient was accepted.",
    ),
    boolean("smtpd_peername_lookup", "yes", "Ask the DNS for the names of clients."),
    boolean("smtpd_client_port_logging", "no", "Log the client's port as well."),
    items("smtpd_discard_ehlo_keywords", "", "Words that are left out of the reply to EHLO."),
    tables(
        "smtpd_discard_ehlo_keyword_address_maps",
        "",
        "Tables from client addresses to words left out of the reply to EHLO.",
    ),
    items("smtpd_authorized_xclient_hosts", "", "Clients that may use XCLIENT."),
    items("smtpd_authorized_xforward_hosts", "", "Clients that may use XFORWARD."),
    choice(
        "smtpd_upstream_proxy_protocol",
        "",
        "Protocol in which a proxy in front tells the client's address.",
        ("", "haproxy"),
    ),
    time("smtpd_upstream_proxy_timeout", "5s", "How long to wait for the proxy's word.", minimum=1),
    text(
        "smtpd_proxy_filter", "", "Host and port of a filter the mail passes before it is queued."
    ),
    text("smtpd_proxy_ehlo", "$myhostname", "Name said to that filter."),
    flags("smtpd_proxy_options", "", "How mail is handed to that filter.", ("speed_adjust",)),
    time("smtpd_proxy_timeout", "100s", "How long to wait for that filter.", minimum=1),
    tables(
        "smtpd_command_filter", "", "Tables that replace commands of clients before they are read."
    ),
    template(
        "smtpd_reject_footer", "", "Text added to each refusal, such as where to ask for help."
    ),
    tables("smtpd_reject_footer_maps", "", "Tables from a refusal to the text added to it."),
    integer(
        "smtpd_client_connection_count_limit",
        "50",
        "Connections a client may have at the same time; 0 means no limit.",
    ),
    integer(
        "smtpd_client_connection_rate_limit",
        "0",
        "Connections a client may make in a unit of time; 0 means no limit.",
    ),
    integer(
        "smtpd_client_message_rate_limit",
        "0",
        "Messages a client may send in a unit of time; 0 means no limit.",
    ),
    integer(
        "smtpd_client_recipient_rate_limit",
        "0",
        "Recipients a client may name in a unit of time; 0 means no limit.",
    ),
    integer(
        "smtpd_client_new_tls_session_rate_limit",
        "0",
        "New TLS sessions a client may begin in a unit of time; 0 means no limit.",
    ),
    integer(
        "smtpd_client_auth_rate_limit",
        "0",
        "Attempts to log in a client may make in a unit of time; 0 means no limit.",
    ),
    items(
        "smtpd_client_event_limit_exceptions",
        "${smtpd_client_connection_limit_exceptions:$mynetworks}",
        "Clients to which these limits do not apply.",
    ),
    time("anvil_rate_time_unit", "60s", "The unit of time of the rate limits.", minimum=1),
    flags(
        "receive_override_options",
        "",
        "Steps of receiving mail that are left out, for instance because a filter comes later.",
        (
            "no_unknown_recipient_checks",
            "no_address_mappings",
            "no_header_body_checks",
            "no_milters",
        ),
    ),
    text(
        "content_filter", "", "transport:nexthop of a filter that all received mail goes through."
    ),
    text(
        "default_filter_nexthop",
        "",
        "Next hop of a content_filter that names none; nothing means the recipient's domain.",
    ),
    text("cleanup_service_name", "cleanup", "The cleanup service that takes the mail."),
)
