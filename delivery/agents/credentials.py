"""credentials - with which name and password to log in at another server.

SUMMARY      Credentials(settings, passwords, sender_keys).find(host, destination, sender)
             -> Account | None
RULES        smtp_sasl_password_maps, asked for the sender where
             smtp_sender_dependent_authentication is on, then for the server's name, then for the
             next hop as it is written; a value is user:password, without a colon only a user
ERRORS       TableUnavailable, which shows nothing of the table: passwords may stand in its name
SOURCE       postconf(5) smtp_sasl_password_maps, smtp_sasl_password_result_delimiter;
             Postfix smtp_sasl_glue.c
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tables.addresses import Address
from tables.errors import TableUnavailable
from tables.keys import Key, credential_keys
from tables.reading.lookup import Maps


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """Field names and defaults are those of postconf(5)."""

    smtp_sasl_auth_enable: bool = False
    smtp_sasl_security_options: tuple[str, ...] = ("noplaintext", "noanonymous")
    smtp_sasl_tls_security_options: tuple[str, ...] = ("noplaintext", "noanonymous")
    smtp_sasl_auth_soft_bounce: bool = True
    smtp_sender_dependent_authentication: bool = False
    smtp_sasl_password_result_delimiter: str = ":"  # noqa: S105 - between user and password


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at another server."""

    user: str
    password: str = field(repr=False)  # never in a log


class Credentials:
    """The accounts of one generation."""

    def __init__(
        self,
        settings: LoginSettings,
        passwords: Maps,
        sender_keys: Callable[[Address], tuple[Key, ...]] = lambda address: (),
    ) -> None:
        self._settings = settings
        self._passwords = passwords
        self._sender_keys = sender_keys

    def find(self, host: str, destination: str, sender: Address) -> Account | None:
        """The account for a server of that next hop. Raises TableUnavailable."""
        if not self._settings.smtp_sasl_auth_enable or not self._passwords:
            return None
        keys: tuple[Key, ...] = credential_keys(host, destination)
        if self._settings.smtp_sender_dependent_authentication and sender:
            keys = (*self._sender_keys(sender), *keys)
        try:
            found = self._passwords.find(keys)
        except TableUnavailable:  # it may quote the table, and the sender of the message reads it
            raise TableUnavailable("smtp_sasl_password_maps: a table cannot be asked") from None
        if found is None:
            return None
        user, _, password = found.value.partition(
            self._settings.smtp_sasl_password_result_delimiter or ":"
        )
        return Account(user, password)
