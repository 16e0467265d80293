"""settings - what the protocols know of the configuration; the fields are parameter names.

SUMMARY      ServerSettings and ClientSettings, frozen; tables.parameters.Parameters.bind() can fill
             them
RULES        the defaults are Postfix's, but smtpd_forbid_bare_newline, which is "yes" here (a
             deviation from 3.7)
SOURCE       postconf(5), each name
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # one for a service: known by itself
class ServerSettings:
    """postconf(5), the parameters of the same names. Sizes are octets; a limit of 0 is none."""

    myhostname: str = "localhost"
    line_length_limit: int = 2048
    message_size_limit: int = 10_240_000
    smtpd_forbid_bare_newline: str = "yes"  # yes, normalize, note, reject, no
    smtpd_forbid_bare_newline_reject_code: int = 550
    cleanup_replace_stray_cr_lf: bool = True
    smtpd_helo_required: bool = False
    smtpd_forbid_unauth_pipelining: bool = False
    strict_rfc821_envelopes: bool = False
    smtputf8_enable: bool = True
    strict_smtputf8: bool = False
    disable_vrfy_command: bool = False
    smtpd_discard_ehlo_keywords: tuple[
        str, ...
    ] = ()  # of this client: see also the ..._address_maps
    inet_protocols: tuple[str, ...] = ("ipv4", "ipv6")
    smtpd_noop_commands: tuple[str, ...] = ()
    smtpd_sasl_response_limit: int = 12288
    smtpd_forbidden_commands: tuple[str, ...] = (
        *("CONNECT", "GET", "POST"),
        "regexp:{{/^[^A-Z]/ Bogus}}",
    )

    @property
    def families(self) -> tuple[str, ...]:
        """The address families that are spoken."""
        return ("ipv4", "ipv6") if "all" in self.inet_protocols else self.inet_protocols


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """postconf(5); for LMTP the values of the lmtp_ twins of the same names."""

    myhostname: str = "localhost"
    smtp_helo_name: str = "localhost"
    line_length_limit: int = 2048
    smtp_always_send_ehlo: bool = True
    smtp_never_send_ehlo: bool = False
    smtp_discard_ehlo_keywords: tuple[
        str, ...
    ] = ()  # of this server: see also the ..._address_maps
    smtp_quote_rfc821_envelope: bool = True
    smtp_sasl_auth_enable: bool = False
    smtp_send_dummy_mail_auth: bool = False
    smtp_send_bdat: bool = False  # where CHUNKING is offered; ours
    smtp_address_verify_target: str = "rcpt"  # or data
