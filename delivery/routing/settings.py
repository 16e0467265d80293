"""settings - the parameters that routing reads; field names are postconf(5) names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Made by Parameters.bind(); one per snapshot and service."""

    # names of this machine
    myhostname: str
    mydomain: str
    myorigin: str
    mydestination: tuple[str, ...]
    parent_domain_matches_subdomains: tuple[str, ...]

    # rewriting
    append_at_myorigin: bool
    append_dot_mydomain: bool
    swap_bangpath: bool
    allow_percent_hack: bool
    resolve_dequoted_address: bool
    resolve_null_domain: bool
    resolve_numeric_domain: bool
    allow_min_user: bool
    empty_address_recipient: str
    recipient_delimiter: str
    double_bounce_sender: str
    smtputf8_enable: bool

    # address classes
    virtual_alias_domains: tuple[str, ...]
    virtual_mailbox_domains: tuple[str, ...]
    relay_domains: tuple[str, ...]

    # transports
    local_transport: str
    virtual_transport: str
    relay_transport: str
    default_transport: str
    relayhost: str
    transport_maps: str
    relocated_maps: str
    sender_dependent_relayhost_maps: str
    sender_dependent_default_transport_maps: str
    empty_address_relayhost_maps_lookup_key: str
    empty_address_default_transport_maps_lookup_key: str

    # who exists
    local_recipient_maps: str
    virtual_alias_maps: str
    virtual_mailbox_maps: str
    relay_recipient_maps: str
    show_user_unknown_table_name: bool
    unknown_local_recipient_reject_code: int
    unknown_virtual_alias_reject_code: int
    unknown_virtual_mailbox_reject_code: int
    unknown_relay_recipient_reject_code: int

    # canonical mapping, masquerading, expansion
    canonical_maps: str
    sender_canonical_maps: str
    recipient_canonical_maps: str
    canonical_classes: tuple[str, ...]
    sender_canonical_classes: tuple[str, ...]
    recipient_canonical_classes: tuple[str, ...]
    masquerade_domains: tuple[str, ...]
    masquerade_exceptions: tuple[str, ...]
    masquerade_classes: tuple[str, ...]
    propagate_unmatched_extensions: tuple[str, ...]
    always_bcc: str
    sender_bcc_maps: str
    recipient_bcc_maps: str
    virtual_alias_expansion_limit: int
    virtual_alias_recursion_limit: int
    virtual_alias_address_length_limit: int
    duplicate_filter_limit: int
    enable_original_recipient: bool
