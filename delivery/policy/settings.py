"""settings - the parameters that restrictions read; field names are postconf(5) names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """Made by Parameters.bind(); one per snapshot and service."""

    # when and in what order the lists run
    smtpd_delay_reject: bool
    smtpd_relay_before_recipient_restrictions: bool
    smtpd_reject_unlisted_recipient: bool
    smtpd_reject_unlisted_sender: bool
    receive_override_options: tuple[str, ...]
    soft_bounce: bool

    # names of lists that are used like a restriction
    smtpd_restriction_classes: tuple[str, ...]

    # reply codes
    access_map_defer_code: int
    access_map_reject_code: int
    defer_code: int
    invalid_hostname_reject_code: int
    maps_rbl_reject_code: int
    multi_recipient_bounce_reject_code: int
    non_fqdn_reject_code: int
    plaintext_reject_code: int
    reject_code: int
    relay_domains_reject_code: int
    unknown_address_reject_code: int
    unknown_client_reject_code: int
    unknown_hostname_reject_code: int
    unverified_recipient_defer_code: int
    unverified_recipient_reject_code: int
    unverified_sender_defer_code: int
    unverified_sender_reject_code: int

    # what a DNS failure means: defer or defer_if_permit
    unknown_address_tempfail_action: str
    unknown_helo_hostname_tempfail_action: str
    unverified_recipient_tempfail_action: str
    unverified_sender_tempfail_action: str

    # tables and lists that single restrictions ask
    mynetworks: tuple[str, ...]
    parent_domain_matches_subdomains: tuple[str, ...]
    permit_mx_backup_networks: tuple[str, ...]
    rbl_reply_maps: str
    relay_clientcerts: str
    relay_domains: tuple[str, ...]
    smtpd_sender_login_maps: str

    # the rest
    allow_untrusted_routing: bool
    default_rbl_reply: str
    queue_directory: str
    maps_rbl_domains: tuple[str, ...]
    smtpd_expansion_filter: str
    smtpd_null_access_lookup_key: str
    smtpd_policy_service_default_action: str
    smtpd_policy_service_max_idle: float
    smtpd_policy_service_max_ttl: float
    smtpd_policy_service_policy_context: str
    smtpd_policy_service_request_limit: int
    smtpd_policy_service_retry_delay: float
    smtpd_policy_service_timeout: float
    smtpd_policy_service_try_limit: int
    smtpd_sasl_auth_enable: bool
    unverified_recipient_reject_reason: str
    unverified_sender_reject_reason: str
