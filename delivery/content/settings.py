"""settings - the parameters that this room reads; field names are postconf(5) names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSettings:
    """Of mail that comes in. Made by Parameters.bind(); one per snapshot and service."""

    myhostname: str
    enable_long_queue_ids: bool

    # sizes
    header_size_limit: int
    line_length_limit: int
    header_address_token_limit: int
    body_checks_size_limit: int
    mime_nesting_limit: int
    mime_boundary_length_limit: int
    hopcount_limit: int

    # checks
    header_checks: str
    mime_header_checks: str
    nested_header_checks: str
    body_checks: str
    disable_mime_input_processing: bool
    strict_7bit_headers: bool
    strict_8bitmime: bool
    strict_8bitmime_body: bool
    strict_mime_encoding_domain: bool
    detect_8bit_encoding_header: bool
    message_reject_characters: str
    message_strip_characters: str

    # headers
    local_header_rewrite_clients: str
    remote_header_rewrite_domain: str
    mynetworks: tuple[str, ...]
    always_add_missing_headers: bool
    message_drop_headers: tuple[str, ...]
    undisclosed_recipients_header: str
    header_from_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingSettings:
    """Of mail that leaves by SMTP or LMTP."""

    header_size_limit: int
    line_length_limit: int
    header_address_token_limit: int
    body_checks_size_limit: int
    mime_nesting_limit: int
    mime_boundary_length_limit: int
    smtp_generic_maps: str
    smtp_header_checks: str
    smtp_mime_header_checks: str
    smtp_nested_header_checks: str
    smtp_body_checks: str
    smtp_line_length_limit: int
    disable_mime_output_conversion: bool
    propagate_unmatched_extensions: tuple[str, ...]
