"""elsewhere - parameters that a stock Postfix has and Waypost has not, and why.

SUMMARY      why_not(name) -> a sentence, or '' for a name that Postfix has not either
RULES        who sets one of them made no mistake in writing: no other name is suggested, and an
             import leaves it out with the reason
SOURCE       postconf(5) of Postfix 3.7
"""

from __future__ import annotations

import re

_REASONS: tuple[tuple[str, str], ...] = (
    (r"postscreen_\w+|dnsblog_\w+", "it belongs to postscreen, which Waypost has not"),
    (r"tlsproxy_\w+", "it belongs to tlsproxy, which Waypost does not need"),
    (r"multi_instance_\w+|postmulti_\w+", "an instance is a WAYPOST_HOME of its own"),
    (
        r"(?!lmtp_|smtp_)\w+_service_name|service_name|process_(name|id|id_directory)",
        "the engine is one program and its parts have no services between them",
    ),
    (
        r"(daemon|ipc|trigger|qmgr_daemon|qmgr_ipc)_(timeout|idle|ttl)|fork_(attempts|delay)|"
        r"max_(idle|use)|service_throttle_time|application_event_drain_time|"
        r"connection_cache_(protocol_timeout|status_update_time|ttl_limit)|"
        r"anvil_status_update_time|smtpd_history_flush_threshold|qmgr_fudge_factor|"
        r"daemon_table_open_error_is_fatal|master_service_disable|qmgr_site_hog_factor",
        "the engine is one program that does not start processes for its parts",
    ),
    (r"proxy_(read|write)_maps", "tables need no proxymap here"),
    (r"berkeley_db_\w+|lmdb_map_size", "compiled tables have another form here"),
    (
        r"(maillog_\w+|postlogd?_\w+|syslog_facility|info_log_address_format|"
        r"delay_logging_resolution_limit|destination_concurrency_feedback_debug|"
        r"respectful_logging|debugger_command)",
        "the engine writes its own log and journal",
    ),
    (
        r"(html|manpage|readme|sample|meta|shlib|alternate_config)_director(y|ies)|"
        r"(mailq|newaliases|sendmail|openssl)_path|setgid_group|mail_release_date",
        "it describes how Postfix was installed",
    ),
    (r"qmqpd_\w+", "Waypost does not speak QMQP"),
    (
        r"(smtp|lmtp|smtpd)_tls_(dcert|dkey|eccert|eckey)_file",
        "name keys and certificates of all kinds by ..._tls_chain_files, or by ..._tls_cert_file "
        "and ..._tls_key_file",
    ),
    (
        r"(smtp|lmtp|smtpd)_tls_session_cache_\w+|smtpd_tls_always_issue_session_ids|"
        r"tls_session_ticket_cipher|\w+_tls_connection_reuse",
        "sessions of TLS are resumed within one process only",
    ),
    (
        r"tls_\w+|\w+_tls_(dh512_param|dh1024_param)_file|smtpd_tls_eecdh_grade|"
        r"\w+_tls_s?c?cert_verifydepth",
        "OpenSSL's own setting is kept",
    ),
    (
        r"(smtp|lmtp)_tls_(per_site|enforce_peername)",
        "say it with ..._tls_policy_maps and ..._tls_security_level",
    ),
    (
        r"(smtp|lmtp)_tls_(trust_anchor_file|force_insecure_host_tlsa_lookup|"
        r"block_early_mail_reply|dane_insecure_mx_policy)|dnssec_probe",
        "Waypost has no DANE",
    ),
    (
        r"(smtp|lmtp)_sasl_(path|type|auth_cache_name|auth_cache_time|"
        r"tls_verified_security_options)|send_cyrus_sasl_authzid",
        "the engine speaks SASL itself",
    ),
    (
        r"smtpd_authorized_verp_clients|default_verp_delimiters|verp_delimiter_filter",
        "Waypost has no VERP",
    ),
    (
        r"default_filter_nexthop|smtpd_dns_reply_filter|dns_ncache_ttl_fix_enable|dont_remove|"
        r"empty_address_local_login_sender_maps_lookup_key|enable_idna2003_compatibility|"
        r"fault_injection_code",
        "nothing in Waypost reads it",
    ),
)
_ALL = tuple((re.compile(pattern), reason) for pattern, reason in _REASONS)


def why_not(name: str) -> str:
    """Why Waypost has not this parameter of Postfix; '' when Postfix has none of that name."""
    for pattern, reason in _ALL:
        if pattern.fullmatch(name):
            return f"{reason[0].upper()}{reason[1:]}."
    return ""
