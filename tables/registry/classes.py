"""classes - which domains are ours, who exists in them, and which way mail takes."""

from __future__ import annotations

from tables.registry.base import Parameter, boolean, integer, items, tables, text

GROUP = "Domains and routing"

PARAMETERS: tuple[Parameter, ...] = (
    text(
        "local_transport", "local:$myhostname", "Delivery of mail for the domains of mydestination."
    ),
    tables(
        "local_recipient_maps",
        "$alias_maps",
        "All recipients that exist in the local domains. Mail to anybody else is refused while the "
        "client is still connected; when empty, nobody is refused.",
        postfix="proxy:unix:passwd.byname $alias_maps",
        why="accounts of this machine are not recipients unless the administrator says so",
    ),
    tables(
        "alias_maps",
        "",
        "Tables of local aliases: names without a domain, and where their mail goes.",
        postfix="hash:/etc/aliases, nis:mail.aliases",
        why="tables live in the generation, not in /etc; the first set-up names one",
    ),
    tables(
        "alias_database",
        "",
        "Alias tables that newaliases rebuilds.",
        postfix="hash:/etc/aliases",
        why="as for alias_maps",
    ),
    items(
        "virtual_alias_domains",
        "$virtual_alias_maps",
        "Domains that have only aliases to addresses elsewhere: no mailboxes, no system users.",
    ),
    tables(
        "virtual_alias_maps",
        "$virtual_maps",
        "Tables that replace recipient addresses by other addresses, for all mail.",
    ),
    tables("virtual_maps", "", "Old name of virtual_alias_maps."),
    items(
        "virtual_mailbox_domains",
        "$virtual_mailbox_maps",
        "Domains whose recipients have mailboxes of their own, without system users.",
    ),
    tables(
        "virtual_mailbox_maps",
        "",
        "All addresses of the virtual mailbox domains, with the path of the mailbox below "
        "virtual_mailbox_base. A path that ends in a slash is a maildir.",
    ),
    text("virtual_transport", "virtual", "Delivery of mail for the virtual mailbox domains."),
    items(
        "relay_domains",
        "${{$compatibility_level} <level {2} ? {$mydestination} : {}}",
        "Domains for which this machine accepts mail from anyone to pass it on, for example as "
        "their backup or gateway.",
    ),
    tables(
        "relay_recipient_maps",
        "",
        "All addresses that exist in the relay domains. When set, mail to others is refused; "
        "when empty, every address is accepted.",
    ),
    text("relay_transport", "relay", "Delivery of mail for the relay domains."),
    text("default_transport", "smtp", "Delivery of mail for all other domains."),
    text(
        "relayhost",
        "",
        "Where mail for other domains is handed over, instead of to the servers of each domain. "
        "[gateway.example.com] means that host itself, without a look-up of its MX.",
    ),
    tables(
        "transport_maps",
        "",
        "Tables from addresses and domains to transport:nexthop; they overrule the defaults.",
    ),
    tables(
        "sender_dependent_relayhost_maps",
        "",
        "Tables from sender addresses or domains to a relayhost of their own.",
    ),
    tables(
        "sender_dependent_default_transport_maps",
        "",
        "Tables from sender addresses or domains to transport:nexthop for other domains.",
    ),
    text(
        "empty_address_relayhost_maps_lookup_key",
        "<>",
        "What is looked up for the empty sender in sender_dependent_relayhost_maps.",
    ),
    text(
        "empty_address_default_transport_maps_lookup_key",
        "<>",
        "What is looked up for the empty sender in sender_dependent_default_transport_maps.",
    ),
    text(
        "best_mx_transport",
        "",
        "Delivery of mail when this machine is the best mail exchanger for a domain it does not "
        "know; when empty, such mail bounces as a loop.",
    ),
    items("defer_transports", "", "Transports whose mail waits until it is asked for."),
    items("fast_flush_domains", "$relay_domains", "Domains that may ask for their mail by ETRN."),
    items(
        "permit_mx_backup_networks",
        "",
        "Networks of the primary mail exchangers for which permit_mx_backup may apply.",
    ),
    boolean("append_at_myorigin", "yes", "Complete a user name without a domain by @$myorigin."),
    boolean(
        "append_dot_mydomain",
        "${{$compatibility_level} <level {1} ? {yes} : {no}}",
        "Complete a host name without a dot by .$mydomain.",
    ),
    boolean("swap_bangpath", "yes", "Read host!user as user@host."),
    boolean("allow_percent_hack", "yes", "Read user%host as user@host."),
    boolean(
        "allow_untrusted_routing",
        "no",
        "Relay user@elsewhere@here and the like for clients that are not trusted. This opens "
        "a way around relay restrictions.",
    ),
    boolean(
        "resolve_dequoted_address",
        "yes",
        "Look for routing characters inside quoted local parts too, which closes a way around "
        "relay restrictions.",
    ),
    boolean("resolve_null_domain", "no", "Read user@ as a user of this machine."),
    boolean("resolve_numeric_domain", "no", "Read user@192.0.2.1 as user@[192.0.2.1]."),
    tables(
        "relocated_maps",
        "",
        "Addresses and domains that have moved; their mail is refused with the new address.",
    ),
    text(
        "local_header_rewrite_clients",
        "permit_inet_interfaces",
        "Clients whose mail gets incomplete addresses in headers completed with this machine's "
        "domain.",
    ),
    text(
        "remote_header_rewrite_domain",
        "",
        "Domain that completes addresses in headers of mail from all other clients; when empty "
        "those headers stay as they are.",
    ),
    boolean(
        "show_user_unknown_table_name",
        "yes",
        "Say in a refusal in which kind of table a recipient was not found.",
    ),
    integer(
        "unknown_local_recipient_reject_code",
        "550",
        "Reply code for an unknown recipient of a local domain.",
        maximum=599,
    ),
    integer(
        "unknown_virtual_alias_reject_code",
        "550",
        "Reply code for an unknown recipient of a virtual alias domain.",
        maximum=599,
    ),
    integer(
        "unknown_virtual_mailbox_reject_code",
        "550",
        "Reply code for an unknown recipient of a virtual mailbox domain.",
        maximum=599,
    ),
    integer(
        "unknown_relay_recipient_reject_code",
        "550",
        "Reply code for an unknown recipient of a relay domain.",
        maximum=599,
    ),
)
