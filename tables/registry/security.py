"""security - TLS, logging in, and milters."""

from __future__ import annotations

from tables.registry.base import (
    Parameter,
    boolean,
    choice,
    flags,
    integer,
    items,
    tables,
    text,
    time,
)
from tables.registry.smtp import for_lmtp

GROUP = "TLS, authentication, milters"

_SASL_OPTIONS = (
    "noplaintext",
    "noactive",
    "nodictionary",
    "noanonymous",
    "mutual_auth",
    "forward_secrecy",
)
_DIGEST = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}"

_SMTPD = (
    choice(
        "smtpd_tls_security_level",
        "",
        "TLS for clients: none, offered (may), or required (encrypt).",
        ("", "none", "may", "encrypt"),
    ),
    boolean("smtpd_use_tls", "no", "Old form of smtpd_tls_security_level = may."),
    boolean("smtpd_enforce_tls", "no", "Old form of smtpd_tls_security_level = encrypt."),
    items(
        "smtpd_tls_chain_files",
        "",
        "Files with private keys and certificate chains, readable by the engine's account.",
    ),
    text("smtpd_tls_cert_file", "", "File with the server's certificate and its chain."),
    text(
        "smtpd_tls_key_file",
        "$smtpd_tls_cert_file",
        "File with the private key, readable by the engine's account.",
    ),
    text("smtpd_tls_CAfile", "", "Authorities that client certificates are checked against."),
    text("smtpd_tls_CApath", "", "Directory of such authorities."),
    boolean("smtpd_tls_ask_ccert", "no", "Ask clients for a certificate."),
    boolean("smtpd_tls_req_ccert", "no", "Require a good certificate of clients."),
    boolean("smtpd_tls_auth_only", "no", "Offer AUTH over TLS only."),
    boolean("smtpd_tls_wrappermode", "no", "Speak TLS from the first byte, as on port 465."),
    boolean("smtpd_tls_received_header", "no", "Note TLS in the Received header."),
    items("smtpd_tls_protocols", ">=TLSv1", "TLS versions where TLS is optional."),
    items("smtpd_tls_mandatory_protocols", ">=TLSv1", "TLS versions where TLS is required."),
    text("smtpd_tls_ciphers", "medium", "Least grade of ciphers where TLS is optional."),
    text("smtpd_tls_mandatory_ciphers", "medium", "Least grade of ciphers where TLS is required."),
    items("smtpd_tls_exclude_ciphers", "", "Ciphers that are never used."),
    items(
        "smtpd_tls_mandatory_exclude_ciphers", "", "More ciphers not used where TLS is required."
    ),
    text(
        "smtpd_tls_fingerprint_digest", _DIGEST, "Digest for fingerprints of client certificates."
    ),
    integer("smtpd_tls_loglevel", "0", "How much is logged about TLS.", maximum=4),
    tables(
        "relay_clientcerts",
        "",
        "Fingerprints of certificates for which permit_tls_clientcerts applies.",
    ),
    text("tls_medium_cipherlist", "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH", "The grade medium."),
    text("tls_high_cipherlist", "aNULL:-aNULL:HIGH:@STRENGTH", "The grade high."),
    text("tls_null_cipherlist", "eNULL:!aNULL", "The grade null: signed, not encrypted."),
    boolean("tls_preempt_cipherlist", "no", "Let the server's order of ciphers count."),
    tables("tls_server_sni_maps", "", "Tables from server names (SNI) to keys and certificates."),
    boolean("smtpd_sasl_auth_enable", "no", "Let clients log in, by AUTH."),
    text("smtpd_sasl_type", "cyrus", "Kind of the authentication service; Waypost asks dovecot."),
    text("smtpd_sasl_path", "smtpd", "Where the authentication service is found."),
    text("smtpd_sasl_service", "smtp", "Service name told to the authentication service."),
    text("smtpd_sasl_local_domain", "", "Realm of the logins."),
    flags(
        "smtpd_sasl_security_options",
        "noanonymous",
        "What mechanisms must not or must be.",
        _SASL_OPTIONS,
    ),
    flags(
        "smtpd_sasl_tls_security_options",
        "$smtpd_sasl_security_options",
        "The same over TLS.",
        _SASL_OPTIONS,
    ),
    items(
        "smtpd_sasl_mechanism_filter",
        "!external, static:rest",
        "Mechanisms that clients are told of.",
    ),
    items("smtpd_sasl_exceptions_networks", "", "Clients that are not told of AUTH."),
    boolean("smtpd_sasl_authenticated_header", "no", "Note the login in the Received header."),
    integer("smtpd_sasl_response_limit", "12288", "Longest reply in a login.", minimum=12288),
    boolean("broken_sasl_auth_clients", "no", "Announce AUTH in the old form, too."),
    text("cyrus_sasl_config_path", "", "Directories of the Cyrus SASL configuration."),
)
_SMTP = (
    choice(
        "smtp_tls_security_level",
        "",
        "TLS to servers, and how much of it must be right.",
        ("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"),
    ),
    boolean("smtp_use_tls", "no", "Old form of smtp_tls_security_level = may."),
    boolean("smtp_enforce_tls", "no", "Old form of smtp_tls_security_level = encrypt or verify."),
    boolean(
        "smtp_tls_enforce_peername",
        "yes",
        "With smtp_enforce_tls, require a certificate with the server's name.",
    ),
    boolean("smtp_tls_wrappermode", "no", "Speak TLS from the first byte."),
    tables("smtp_tls_policy_maps", "", "Tables from next hops to their TLS security level."),
    items("smtp_tls_chain_files", "", "Files with private keys and certificate chains."),
    text("smtp_tls_cert_file", "", "File with the client's certificate and its chain."),
    text("smtp_tls_key_file", "$smtp_tls_cert_file", "File with the private key."),
    text("smtp_tls_CAfile", "", "Authorities that server certificates are checked against."),
    text("smtp_tls_CApath", "", "Directory of such authorities."),
    items("smtp_tls_protocols", ">=TLSv1", "TLS versions where TLS is optional."),
    items("smtp_tls_mandatory_protocols", ">=TLSv1", "TLS versions where TLS is required."),
    text("smtp_tls_ciphers", "medium", "Least grade of ciphers where TLS is optional."),
    text("smtp_tls_mandatory_ciphers", "medium", "Least grade of ciphers where TLS is required."),
    items("smtp_tls_exclude_ciphers", "", "Ciphers that are never used."),
    items("smtp_tls_mandatory_exclude_ciphers", "", "More ciphers not used where TLS is required."),
    items("smtp_tls_secure_cert_match", "nexthop, dot-nexthop", "Names accepted at level secure."),
    items("smtp_tls_verify_cert_match", "hostname", "Names accepted at level verify."),
    items("smtp_tls_fingerprint_cert_match", "", "Fingerprints accepted at level fingerprint."),
    text("smtp_tls_fingerprint_digest", _DIGEST, "Digest for fingerprints of servers."),
    text("smtp_tls_servername", "", "Server name (SNI) that is asked for."),
    boolean("smtp_tls_note_starttls_offer", "no", "Log servers that offer STARTTLS unused."),
    integer("smtp_tls_loglevel", "0", "How much is logged about TLS.", maximum=4),
    boolean("smtp_sasl_auth_enable", "no", "Log in to servers that ask for it."),
    tables("smtp_sasl_password_maps", "", "Tables from next hops to user:password."),
    flags(
        "smtp_sasl_security_options",
        "noplaintext, noanonymous",
        "What mechanisms must not or must be.",
        _SASL_OPTIONS,
    ),
    flags(
        "smtp_sasl_tls_security_options",
        "$smtp_sasl_security_options",
        "The same over TLS.",
        _SASL_OPTIONS,
    ),
    items("smtp_sasl_mechanism_filter", "", "Mechanisms that may be used."),
    text("smtp_sasl_password_result_delimiter", ":", "What is between user and password."),
    boolean("smtp_sasl_auth_soft_bounce", "yes", "Let mail wait when a login is refused."),
)

PARAMETERS: tuple[Parameter, ...] = (
    *_SMTPD,
    *_SMTP,
    *(for_lmtp(parameter) for parameter in _SMTP),
    items("smtpd_milters", "", "Milters for mail that comes by SMTP."),
    items("non_smtpd_milters", "", "Milters for mail from this machine."),
    tables("smtpd_milter_maps", "", "Tables from client addresses to milters of their own."),
    choice(
        "milter_default_action",
        "tempfail",
        "What to do when a milter fails.",
        ("accept", "reject", "tempfail", "quarantine", "shutdown"),
    ),
    text("milter_protocol", "6", "Version of the milter protocol, with options."),
    time("milter_connect_timeout", "30s", "How long to wait for a connection.", minimum=1),
    time("milter_command_timeout", "30s", "How long to wait for a reply.", minimum=1),
    time("milter_content_timeout", "300s", "How long to wait after the message.", minimum=1),
    tables("milter_header_checks", "", "header_checks for headers that milters add."),
    text("milter_macro_daemon_name", "$myhostname", "The macro {daemon_name}."),
    text("milter_macro_v", "$mail_name $mail_version", "The macro v."),
    items("milter_macro_defaults", "", "Values of macros that are not known otherwise."),
    items(
        "milter_connect_macros", "j {daemon_name} {daemon_addr} v _", "Macros sent on connecting."
    ),
    items(
        "milter_helo_macros",
        "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        "Macros sent for HELO.",
    ),
    items(
        "milter_mail_macros",
        "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
        "Macros sent for MAIL.",
    ),
    items("milter_rcpt_macros", "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", "Macros sent for RCPT."),
    items("milter_data_macros", "i", "Macros sent for DATA."),
    items("milter_end_of_header_macros", "i", "Macros sent after the headers."),
    items("milter_end_of_data_macros", "i", "Macros sent after the message."),
    items("milter_unknown_command_macros", "", "Macros sent for unknown commands."),
    flags(
        "internal_mail_filter_classes",
        "",
        "Mail of our own that is filtered, too.",
        ("bounce", "notify"),
    ),
)
