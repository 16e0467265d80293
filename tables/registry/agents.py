"""agents - delivery on this machine: local users and aliases, virtual mailboxes, commands."""

from __future__ import annotations

from tables.registry.base import (
    Parameter,
    boolean,
    choice,
    flags,
    integer,
    items,
    size,
    tables,
    template,
    text,
    time,
)

GROUP = "Local delivery"

_FILTER = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SOURCES = ("alias", "forward", "include")
_LOCKS = ("fcntl", "flock", "dotlock")

PARAMETERS: tuple[Parameter, ...] = (
    text(
        "virtual_mailbox_base", "", "Directory below which all virtual mailboxes lie.", machine=True
    ),
    size(
        "virtual_mailbox_limit",
        "51200000",
        "Largest size of a virtual mailbox file or of a message in a maildir; 0 means no limit.",
    ),
    tables(
        "virtual_mailbox_limit_maps",
        "",
        "Tables from addresses to the size of their mailbox in bytes. Waypost's own: hosted "
        "mailboxes with a quota have their entry here.",
        postfix="",
        why="Postfix itself knows no quota",
    ),
    flags(
        "virtual_mailbox_lock", "fcntl, dotlock", "How virtual mailbox files are locked.", _LOCKS
    ),
    tables("virtual_uid_maps", "", "Tables from addresses to the user id that owns the mailbox."),
    tables("virtual_gid_maps", "", "Tables from addresses to the group id that owns the mailbox."),
    integer(
        "virtual_minimum_uid", "100", "Lowest user id that may own a virtual mailbox.", minimum=1
    ),
    tables(
        "virtual_delivery_status_filter",
        "$default_delivery_status_filter",
        "Tables that replace the status of virtual deliveries.",
    ),
    text(
        "home_mailbox",
        "",
        "Mailbox below a user's home directory; with a slash at the end it is a maildir.",
    ),
    template("mailbox_command", "", "Command that delivers all mail of local users."),
    tables("mailbox_command_maps", "", "Tables from users to a command that delivers their mail."),
    text("mailbox_transport", "", "Transport that delivers all mail of local users."),
    tables("mailbox_transport_maps", "", "Tables from users to a transport for their mail."),
    text("fallback_transport", "", "Transport for local recipients that are not known here."),
    tables("fallback_transport_maps", "", "Tables from unknown local recipients to a transport."),
    template("luser_relay", "", "Address that gets mail for unknown local recipients."),
    size("mailbox_size_limit", "51200000", "Largest local mailbox or file; 0 means no limit."),
    flags("mailbox_delivery_lock", "fcntl, dotlock", "How mailbox files are locked.", _LOCKS),
    integer("deliver_lock_attempts", "20", "How often to try for a lock.", minimum=1),
    time("deliver_lock_delay", "1s", "How long to wait between two tries for a lock.", minimum=1),
    time(
        "stale_lock_time", "500s", "Age at which a lock file is taken to be left over.", minimum=1
    ),
    template(
        "forward_path",
        "$home/.forward${recipient_delimiter}${extension}, $home/.forward",
        "Files that are looked for, in order, to see where a user wants mail sent on.",
    ),
    flags("allow_mail_to_commands", "alias, forward", "Where commands may be named.", _SOURCES),
    flags("allow_mail_to_files", "alias, forward", "Where files may be named.", _SOURCES),
    boolean("allow_min_user", "no", "Let an address begin with a hyphen."),
    text(
        "command_expansion_filter",
        _FILTER,
        "Characters that $name may bring into mailbox_command; others become an underscore.",
    ),
    text(
        "forward_expansion_filter",
        _FILTER,
        "Characters that $name may bring into forward_path; others become an underscore.",
    ),
    text(
        "execution_directory_expansion_filter",
        _FILTER,
        "Characters that $name may bring into command_execution_directory.",
    ),
    template("command_execution_directory", "", "Directory in which commands of local users run."),
    time("command_time_limit", "1000s", "How long a command may run.", minimum=1),
    text("local_command_shell", "", "Shell that runs commands; empty means none is needed."),
    tables(
        "local_delivery_status_filter",
        "$default_delivery_status_filter",
        "Tables that replace the status of local deliveries.",
    ),
    tables(
        "pipe_delivery_status_filter",
        "$default_delivery_status_filter",
        "Tables that replace the status of deliveries to commands.",
    ),
    flags(
        "prepend_delivered_header",
        "command, file, forward",
        "Deliveries that put a Delivered-To header before the message.",
        ("command", "file", "forward"),
    ),
    boolean(
        "frozen_delivered_to",
        "yes",
        "Compare Delivered-To with the address as it was when local delivery began.",
    ),
    boolean(
        "owner_request_special",
        "yes",
        "Treat owner-name and name-request as addresses of the list name's owner.",
    ),
    boolean("expand_owner_alias", "no", "Use what owner-name stands for as the sender."),
    boolean("reset_owner_alias", "no", "Forget the owner of a list when its members are aliases."),
    boolean("require_home_directory", "no", "Let mail wait for users whose home is missing."),
    boolean("strict_mailbox_ownership", "yes", "Let mail wait when a mailbox has another owner."),
    boolean("biff", "yes", "Tell logged-in users about new mail."),
    boolean("helpful_warnings", "yes", "Warn about likely mistakes."),
    boolean("sun_mailtool_compatibility", "no", "Old form of mailbox locks."),
    tables(
        "local_login_sender_maps",
        "static:*",
        "Tables from system users to the sender addresses they may use.",
    ),
    choice(
        "sendmail_fix_line_endings",
        "always",
        "When CRLF from the sendmail command becomes LF.",
        ("always", "strict", "never"),
    ),
    items("authorized_submit_users", "static:anyone", "System users that may submit mail."),
    items("authorized_flush_users", "static:anyone", "System users that may flush the queue."),
    items("authorized_mailq_users", "static:anyone", "System users that may see the queue."),
)
