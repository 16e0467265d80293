"""local_settings - the parameters of local(8); field names and defaults are those of postconf(5).

SUMMARY      parameters.bind(LocalSettings)
SOURCE       postconf(5), local(8)
"""

from __future__ import annotations

from dataclasses import dataclass

from delivery.agents.command_environment import EXPORTED, IMPORTED

FILTER = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """All of them; tables are opened by the caller."""

    recipient_delimiter: str = ""
    double_bounce_sender: str = "double-bounce"
    # whose rights
    default_privs: str = "nobody"
    allow_mail_to_commands: tuple[str, ...] = ("alias", "forward")
    allow_mail_to_files: tuple[str, ...] = ("alias", "forward")
    # aliases and .forward files
    expand_owner_alias: bool = False
    owner_request_special: bool = True
    reset_owner_alias: bool = False
    propagate_unmatched_extensions: tuple[str, ...] = ("canonical", "virtual")
    duplicate_filter_limit: int = 1000
    forward_path: str = "$home/.forward${recipient_delimiter}${extension}, $home/.forward"
    forward_expansion_filter: str = FILTER
    frozen_delivered_to: bool = True
    prepend_delivered_header: tuple[str, ...] = ("command", "file", "forward")
    enable_original_recipient: bool = True
    # mailboxes
    require_home_directory: bool = False
    home_mailbox: str = ""
    mail_spool_directory: str = "/var/mail"
    mailbox_size_limit: int = 51_200_000
    mailbox_delivery_lock: tuple[str, ...] = ("fcntl", "dotlock")
    deliver_lock_attempts: int = 20
    deliver_lock_delay: float = 1.0
    stale_lock_time: float = 500.0
    strict_mailbox_ownership: bool = True
    mailbox_transport: str = ""
    fallback_transport: str = ""
    luser_relay: str = ""
    # commands
    mailbox_command: str = ""
    local_command_shell: str = ""
    command_time_limit: float = 1000.0
    command_execution_directory: str = ""
    command_expansion_filter: str = FILTER
    execution_directory_expansion_filter: str = FILTER
    export_environment: tuple[str, ...] = EXPORTED
    import_environment: tuple[str, ...] = IMPORTED
