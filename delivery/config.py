"""config - what the engine needs to know before it has read a generation; frozen.

SUMMARY      read_config(environment) -> Config; the only reader of the environment in delivery
RULES        everything that postconf(5) has a name for is a parameter of the generation, not here
             an address is "host:port", "[v6]:port" or ":port" for all of this machine
ERRORS       ConfigError: one line that names the variable and says what to write instead
SOURCE       README, "Settings"; DESIGN of the contract: WAYPOST_* variables
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from delivery.errors import DeliveryError

PROJECT = Path(__file__).resolve().parents[1]

# service of master.cf -> (variable, default) for the address it listens on
LISTENERS = {
    "smtp": ("WAYPOST_SMTP", "127.0.0.1:2525"),
    "submission": ("WAYPOST_SUBMISSION", "127.0.0.1:2587"),
    "submissions": ("WAYPOST_SMTPS", "127.0.0.1:2465"),
    "smtps": ("WAYPOST_SMTPS", "127.0.0.1:2465"),
}


class ConfigError(DeliveryError):
    """A variable of the environment has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen, or whom to ask; host '' means every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The engine's surroundings."""

    home: Path
    listeners: Mapping[str, Endpoint] = field(default_factory=dict)  # by service name
    resolver: Endpoint | None = None  # None: the system's
    user: str = ""  # whom root's engine becomes; '' as in privilege/account.py
    mail_spools: tuple[str, ...] = ()  # where root's courier lends rights, with /var/mail
    smtp_client_port: int = 25  # where "port 25" of other servers is; a test rig has it elsewhere

    @property
    def maps(self) -> Path:
        """Generations and their objects."""
        return self.home / "maps"

    @property
    def spool(self) -> Path:
        """The queue."""
        return self.home / "spool"

    @property
    def journal(self) -> Path:
        """The engine's own record of what it did."""
        return self.home / "journal"

    @property
    def mail(self) -> Path:
        """Mailboxes: the default of virtual_mailbox_base."""
        return self.home / "mail"

    @property
    def public_socket(self) -> Path:
        """Where any user of this machine may ask for the queue (runtime/commands.py)."""
        return self.drop / "queue.sock"

    @property
    def drop(self) -> Path:
        """Where programs of this machine leave mail (submission/drop.py)."""
        return self.home / "drop"

    @property
    def control_socket(self) -> Path:
        """Where operators and the panel reach a running engine."""
        return self.home / "run" / "engine.sock"


def parse_endpoint(name: str, text: str) -> Endpoint:
    """The endpoint that a variable or a service name holds; `name` is for the message."""
    host, colon, port = text.strip().rpartition(":")
    if not colon and _is_port(text.strip()):
        host, port = "", text.strip()
    if not _is_port(port) or any(character.isspace() for character in host):
        raise ConfigError(f"{name}: {text!r} is no address; write host:port, like 127.0.0.1:2525")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ConfigError(f"{name}: put the IPv6 address of {text!r} in brackets, like [::1]:25")
    return Endpoint(host.removeprefix("[").removesuffix("]"), int(port))


def read_config(environment: Mapping[str, str] | None = None) -> Config:
    """The engine's Config from WAYPOST_* variables; raises ConfigError."""
    given = os.environ if environment is None else environment
    home = Path(given.get("WAYPOST_HOME") or PROJECT / "var").expanduser().resolve()
    listeners = {
        service: parse_endpoint(variable, given.get(variable) or default)
        for service, (variable, default) in LISTENERS.items()
    }
    resolver = given.get("WAYPOST_RESOLVER", "")
    port = given.get("WAYPOST_SMTP_CLIENT_PORT") or "25"
    if not _is_port(port):
        raise ConfigError(f"WAYPOST_SMTP_CLIENT_PORT: {port!r} is no port; write a number to 65535")
    return Config(
        home=home,
        listeners=listeners,
        user=given.get("WAYPOST_USER", "").strip(),
        resolver=_parse_resolver(resolver) if resolver else None,
        mail_spools=tuple(filter(None, given.get("WAYPOST_MAIL_SPOOLS", "").split(":"))),
        smtp_client_port=int(port),
    )


def _parse_resolver(text: str) -> Endpoint:
    """A DNS server must be known by its address: a name would have to be looked up first."""
    endpoint = parse_endpoint("WAYPOST_RESOLVER", text)
    try:
        ipaddress.ip_address(endpoint.host or "127.0.0.1")
    except ValueError:
        message = f"WAYPOST_RESOLVER: {endpoint.host!r} is no IP address; write 127.0.0.1:53"
        raise ConfigError(message) from None
    return endpoint


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536
