"""idle - parameters that are known, checked, kept and exported, and that nothing acts on.

SUMMARY      why_idle(name) -> a sentence; '' for a parameter that has an effect
RULES        forms, docs/SETTINGS.md and the report of an import say the sentence; who builds what
             a parameter is for takes its name out here (tests/test_docs.py compares with the code)
SOURCE       postconf(5) of Postfix 3.7
"""

from __future__ import annotations

import re

_NOT_YET = "it is not done yet"
_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"mail_version|mail_owner|syslog_name|multi_instance_name|config_directory|"
        r"command_directory|daemon_directory",
        "it is kept for references to it",
    ),
    (r"default_database_type|alias_database", "tables here have a type, and need no building"),
    (
        r"default_(extra_)?recipient_limit|default_recipient_refill_\w+|default_delivery_slot_\w+|"
        r"default_minimum_delivery_slots|qmgr_clog_warn_time|transport_retry_time|in_flow_delay",
        "the queue takes turns in a way of its own, see docs/QUEUE.md",
    ),
    (
        r"hash_queue_\w+|queue_file_attribute_count_limit|fast_flush_(purge|refresh)_time|"
        r"backwards_bounce_logfile_compatibility",
        "the queue has another form here",
    ),
    (r"debug_peer_(list|level)|helpful_warnings", "the engine writes its own log and journal"),
    (r"biff", "the engine tells nobody, as with no"),
    (r"sun_mailtool_compatibility", "mailboxes are locked as with no"),
    (r"disable_verp_bounces", "Waypost has no VERP"),
    (r"known_tcp_ports", "the engine knows the usual names of ports"),
    (r"smtpd_delay_open_until_valid_rcpt", "nothing is on disk before the content comes"),
    (r"(smtp|lmtp)_dns_support_level", "the DNS is always asked, and Waypost has no DANE"),
    (r"tls_server_sni_maps", "clients get one certificate, whichever name they ask for"),
    (r"smtpd_sasl_local_domain", "Dovecot's own auth_default_realm counts"),
    (r"cyrus_sasl_config_path", "Dovecot is asked who may log in, and no Cyrus SASL"),
    (r"(non_)?smtpd_milters|smtpd_milter_maps|milter_\w+", "the engine asks no milters yet"),
    (r"smtpd_forbid_bare_newline_exclusions", "no client may smuggle, however near it is"),
    (r"smtpd_proxy_\w+", "there is no filter before the queue yet; content_filter comes behind it"),
    (
        r"smtpd_(client_port_logging|"
        r"log_access_permit_actions)|tcp_windowsize|local_login_sender_maps|"
        r"sendmail_fix_line_endings",
        _NOT_YET,
    ),
    (
        r"(smtp|lmtp)_(cname_overrides_servername|pix_workaround\w+)",
        _NOT_YET,
    ),
    (r"(smtp|lmtp)_skip_quit_response", "nothing depends on the reply to QUIT, and nobody waits"),
    (r"(smtp|lmtp)_tls_loglevel", "the engine writes its own log and journal"),
)
_ALL = tuple((re.compile(pattern), reason) for pattern, reason in _REASONS)


def why_idle(name: str) -> str:
    """Why setting this parameter changes nothing; '' when it does."""
    for pattern, reason in _ALL:
        if pattern.fullmatch(name):
            return f"No effect: {reason}."
    return ""
