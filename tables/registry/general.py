"""general - who this machine is, and what holds for all of it."""

from __future__ import annotations

from tables.registry.base import Parameter, boolean, choice, flags, integer, items, text

GROUP = "This machine"

_ERROR_CLASSES = (
    "bounce",
    "2bounce",
    "data",
    "delay",
    "policy",
    "protocol",
    "resource",
    "software",
)
_FEATURES_WITH_SUBDOMAINS = (
    "debug_peer_list",
    "fast_flush_domains",
    "mynetworks",
    "permit_mx_backup_networks",
    "qmqpd_authorized_clients",
    "relay_domains",
    "smtpd_access_maps",
    "smtpd_client_event_limit_exceptions",
    "transport_maps",
)
_LEVEL_2_STYLE = "${{$compatibility_level} <level {2} ? {subnet} : {host}}"

PARAMETERS: tuple[Parameter, ...] = (
    text(
        "compatibility_level",
        "3.6",
        "The Postfix release whose defaults apply. Older levels bring back defaults of that time, "
        "which imported configurations may rely on.",
        postfix="0",
        why="a fresh installation has no old habits to respect",
    ),
    text(
        "myhostname",
        "localhost.localdomain",
        "Full host name of this mail server. It is used in the greeting, in HELO and in Received "
        "headers, and it is the base of many other names.",
        machine=True,
    ),
    text(
        "mydomain",
        "localdomain",
        "Domain of this mail server. When not set it is $myhostname without its first part.",
        machine=True,
    ),
    text(
        "myorigin",
        "$myhostname",
        "Domain that is added to addresses written without one, such as the sender of mail from "
        "this machine itself.",
    ),
    items(
        "mydestination",
        "$myhostname, localhost.$mydomain, localhost",
        "Domains whose mail is delivered on this machine to local recipients and aliases. Do not "
        "list virtual domains here.",
    ),
    items(
        "mynetworks",
        "127.0.0.0/8 [::1]/128",
        "Networks of clients that are trusted: permit_mynetworks lets them relay mail anywhere. "
        "An item with ! before it is left out.",
        machine=True,
    ),
    choice(
        "mynetworks_style",
        _LEVEL_2_STYLE,
        "How mynetworks is made up when it is not set: this host only, its subnets, or its old "
        "network class.",
        ("host", "subnet", "class"),
    ),
    items(
        "inet_interfaces",
        "all",
        "Addresses of this machine on which mail is received; all or loopback-only.",
    ),
    items(
        "inet_protocols",
        "all",
        "Internet protocols to use: all, ipv4, ipv6 or both names.",
    ),
    items(
        "proxy_interfaces",
        "",
        "Addresses of a proxy or address translator in front of this machine. Mail to them counts "
        "as mail to this machine, which prevents loops.",
    ),
    text(
        "recipient_delimiter",
        "",
        "Characters that separate a user name from its extension, as in user+folder. Several may "
        "be given; the first one that is found in an address counts.",
    ),
    flags(
        "parent_domain_matches_subdomains",
        "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,"
        "qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
        "Features in which example.com also means everything below it. Elsewhere .example.com has "
        "to be written for that.",
        _FEATURES_WITH_SUBDOMAINS,
    ),
    boolean(
        "soft_bounce",
        "no",
        "A safety net for tests: every permanent refusal is made temporary, so that nothing is "
        "returned to its sender.",
    ),
    boolean(
        "smtputf8_enable",
        "${{$compatibility_level} <level {1} ? {no} : {yes}}",
        "Accept and send addresses and headers with characters beyond ASCII (SMTPUTF8).",
    ),
    boolean(
        "strict_smtputf8",
        "no",
        "Refuse non-ASCII addresses and headers in mail that did not ask for SMTPUTF8.",
    ),
    flags(
        "smtputf8_autodetect_classes",
        "sendmail, verify",
        "Sources of mail in which the need for SMTPUTF8 is found by looking at the message.",
        ("sendmail", "smtpd", "qmqpd", "forward", "bounce", "notify", "verify", "all"),
    ),
    text(
        "mail_name",
        "Waypost",
        "Name of the mail system in greetings, Received headers and bounces.",
        postfix="Postfix",
        why="the product says its own name",
    ),
    text(
        "mail_version",
        "3.7.11",
        "Release of Postfix whose behaviour is followed, where $mail_version is used.",
    ),
    text(
        "mail_owner", "postfix", "System account that owns the queue in Postfix; kept for export."
    ),
    text(
        "syslog_name",
        "${multi_instance_name?{$multi_instance_name}:{postfix}}",
        "Name put before each log line.",
    ),
    text("multi_instance_name", "", "Name of this instance where several run on one machine."),
    flags(
        "notify_classes",
        "resource, software",
        "Kinds of trouble that are reported to the postmaster by mail.",
        _ERROR_CLASSES,
    ),
    text(
        "error_notice_recipient",
        "postmaster",
        "Who receives reports about trouble of the classes resource, software, policy, protocol "
        "and data.",
    ),
    text(
        "bounce_notice_recipient",
        "postmaster",
        "Who receives copies of bounced mail, when notify_classes has bounce.",
    ),
    text(
        "2bounce_notice_recipient",
        "postmaster",
        "Who receives mail that could be neither delivered nor returned.",
    ),
    text(
        "delay_notice_recipient",
        "postmaster",
        "Who receives copies of delay warnings, when notify_classes has delay.",
    ),
    text(
        "double_bounce_sender",
        "double-bounce",
        "Local part of the sender of mail that must not be answered by a bounce. Mail to it is "
        "discarded.",
    ),
    text(
        "empty_address_recipient",
        "MAILER-DAEMON",
        "Recipient that takes the place of the empty address <> in a bounce.",
    ),
    text("stress", "", "Set while the server is overloaded; other defaults refer to it."),
    text("queue_directory", "/var/spool/postfix", "Postfix's queue; kept for references to it."),
    text("data_directory", "/var/lib/postfix", "Postfix's state; kept for references to it."),
    text("config_directory", "/etc/postfix", "Postfix's settings; kept for references to it."),
    text("command_directory", "/usr/sbin", "Postfix's commands; kept for references to it."),
    text(
        "daemon_directory",
        "/usr/lib/postfix/sbin",
        "Postfix's servers; kept for references to it.",
    ),
    text(
        "default_privs",
        "nobody",
        "System user with whose rights commands and files of an alias are used when the alias "
        "table belongs to root.",
    ),
    text("mail_spool_directory", "/var/mail", "Directory of the system users' mailboxes."),
    text(
        "default_database_type",
        "hash",
        "Type of a table that is named without one.",
    ),
    items("debug_peer_list", "", "Clients and servers whose sessions are logged in detail."),
    integer(
        "debug_peer_level", "2", "How much more is logged for a peer of debug_peer_list.", minimum=1
    ),
    boolean(
        "enable_long_queue_ids",
        "no",
        "Give messages queue ids that are never used twice.",
    ),
    boolean(
        "enable_original_recipient",
        "yes",
        "Keep the address as it was before rewriting, for X-Original-To and for reports.",
    ),
    items(
        "import_environment",
        "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C "
        "POSTLOG_SERVICE POSTLOG_HOSTNAME",
        "Environment variables that are kept when mail is processed.",
    ),
    items(
        "export_environment",
        "TZ MAIL_CONFIG LANG",
        "Environment variables that commands and filters get to see.",
    ),
)
