"""cleanup - what is changed in a message, or looked for in it, on its way into the queue."""

from __future__ import annotations

from tables.registry.base import Parameter, boolean, flags, integer, items, size, tables, text

GROUP = "Rewriting and content"

_CLASSES = ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")

PARAMETERS: tuple[Parameter, ...] = (
    tables(
        "canonical_maps",
        "",
        "Tables that rewrite addresses in envelope and headers, both senders and recipients.",
    ),
    tables("sender_canonical_maps", "", "Tables that rewrite sender addresses only."),
    tables("recipient_canonical_maps", "", "Tables that rewrite recipient addresses only."),
    flags(
        "canonical_classes",
        "envelope_sender, envelope_recipient, header_sender, header_recipient",
        "Where canonical_maps apply.",
        _CLASSES,
    ),
    flags(
        "sender_canonical_classes",
        "envelope_sender, header_sender",
        "Where sender_canonical_maps apply.",
        _CLASSES,
    ),
    flags(
        "recipient_canonical_classes",
        "envelope_recipient, header_recipient",
        "Where recipient_canonical_maps apply.",
        _CLASSES,
    ),
    items(
        "masquerade_domains",
        "",
        "Domains whose subdomains are cut off from addresses, in order; one with ! before it is "
        "left alone.",
    ),
    items(
        "masquerade_exceptions", "", "User names whose addresses are not masqueraded, like root."
    ),
    flags(
        "masquerade_classes",
        "envelope_sender, header_sender, header_recipient",
        "Where masquerading applies.",
        _CLASSES,
    ),
    flags(
        "propagate_unmatched_extensions",
        "canonical, virtual",
        "Tables whose result keeps the extension that was not part of the match.",
        ("canonical", "virtual", "alias", "forward", "include", "generic"),
    ),
    integer(
        "virtual_alias_expansion_limit",
        "1000",
        "Most addresses that one recipient may expand to.",
        minimum=1,
    ),
    integer(
        "virtual_alias_recursion_limit",
        "1000",
        "How often a recipient may be expanded in turn.",
        minimum=1,
    ),
    integer(
        "virtual_alias_address_length_limit",
        "1000",
        "Longest address that may come out of an expansion.",
        minimum=1,
    ),
    integer(
        "duplicate_filter_limit",
        "1000",
        "Addresses remembered to drop those that occur twice; 0 means all.",
    ),
    text("always_bcc", "", "Address that gets a copy of every message."),
    tables("sender_bcc_maps", "", "Tables from sender addresses to an address that gets a copy."),
    tables("recipient_bcc_maps", "", "Tables from recipients to an address that gets a copy."),
    tables("header_checks", "", "Tables of patterns and actions for header lines."),
    tables("mime_header_checks", "$header_checks", "The same for headers of MIME parts."),
    tables("nested_header_checks", "$header_checks", "The same for headers of attached messages."),
    tables("body_checks", "", "The same for lines of the body."),
    size("body_checks_size_limit", "51200", "How much of each part body_checks looks at."),
    integer(
        "header_address_token_limit", "10240", "Most address tokens read of one header.", minimum=1
    ),
    integer(
        "mime_nesting_limit", "100", "Deepest nesting of MIME parts that is followed.", minimum=1
    ),
    size(
        "mime_boundary_length_limit", "2048", "Longest MIME boundary that is told apart.", minimum=1
    ),
    boolean("disable_mime_input_processing", "no", "Take the body as plain text."),
    boolean(
        "disable_mime_output_conversion",
        "no",
        "Send 8-bit mail unconverted to servers that do not announce 8BITMIME.",
    ),
    boolean("strict_7bit_headers", "no", "Refuse mail with 8-bit characters in headers."),
    boolean("strict_8bitmime", "no", "Refuse 8-bit mail that does not say it is."),
    boolean("strict_8bitmime_body", "no", "Refuse 8-bit bodies without proper MIME headers."),
    boolean("strict_mime_encoding_domain", "no", "Refuse mail with impossible MIME encodings."),
    boolean(
        "detect_8bit_encoding_header",
        "yes",
        "Believe the Content-Transfer-Encoding header about 8-bit content.",
    ),
    boolean(
        "always_add_missing_headers",
        "no",
        "Add From, To, Date and Message-ID where they are missing, to everybody's mail.",
    ),
    items(
        "message_drop_headers",
        "bcc, content-length, resent-bcc, return-path",
        "Headers that are removed.",
    ),
    text("message_reject_characters", "", "Characters for which a message is refused."),
    text("message_strip_characters", "", "Characters that are removed from messages."),
    text("undisclosed_recipients_header", "", "Header added to mail that names no recipient."),
    text("header_from_format", "standard", "Form of the From header that is added."),
    boolean("cleanup_replace_stray_cr_lf", "yes", "Make a stray CR or LF in the text a space."),
    integer(
        "queue_file_attribute_count_limit", "100", "Most attributes of a queued message.", minimum=1
    ),
    integer(
        "hopcount_limit",
        "50",
        "Received headers at which a message is taken to be in a loop.",
        minimum=1,
    ),
)
