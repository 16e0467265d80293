"""rewrite - an address completed and straightened: user -> user@myorigin, host!user -> user@host.

SUMMARY      Rewriter(settings).complete(address) -> Address; what trivial-rewrite(8) does first
RULES        in this order, on an address as a peer or table gave it:
             without @: site!user, else user%site, else @myorigin  (swap_bangpath,
             allow_percent_hack, append_at_myorigin); a quoted local part is not looked into
             a domain without a dot gets .mydomain (append_dot_mydomain); a final dot goes
             the null address stays, a lone @ becomes it, "user@" stays
NOT DONE     source routes: tables.addresses.parse_path has dropped them
SOURCE       Postfix trivial-rewrite(8) rewrite.c; postconf(5)
"""

from __future__ import annotations

from delivery.routing.settings import RoutingSettings
from tables.addresses import NULL, Address, quote_local


def is_quoted(local: str) -> bool:
    """True when the local part needs quotes: its characters are no operators."""
    return quote_local(local) != local


class Rewriter:
    """The rules of one snapshot. Without `origin` and `domain`: those of this machine."""

    __slots__ = ("_domain", "_origin", "_settings")

    def __init__(
        self, settings: RoutingSettings, *, origin: str | None = None, domain: str | None = None
    ) -> None:
        self._settings = settings
        self._origin = settings.myorigin if origin is None else origin
        self._domain = settings.mydomain if domain is None else domain

    def complete(self, address: Address) -> Address:
        """The address with a full domain, as far as the settings allow. Pure."""
        local, domain = address.local, address.domain
        if "." in domain and domain[-1] != ".":
            return address  # as it nearly always is
        if not domain:
            if not local:
                return address
            if local[-1] == "@":
                return address if len(local) > 1 else NULL
            local, domain = self._find_domain(local)
        if (
            self._domain
            and domain
            and "." not in domain
            and domain[0] != "["
            and self._settings.append_dot_mydomain
        ):
            domain = f"{domain}.{self._domain}"
        elif len(domain) > 1 and domain[-1] == "." and domain[-2] != ".":
            domain = domain[:-1]
        if local == address.local and domain == address.domain:
            return address
        return Address(local, domain)

    def _find_domain(self, local: str) -> tuple[str, str]:
        settings = self._settings
        if not is_quoted(local):
            if settings.swap_bangpath and "!" in local:  # postconf(5) swap_bangpath
                site, _, user = local.partition("!")
                if site:
                    return user, site
            elif settings.allow_percent_hack and "%" in local:  # postconf(5) allow_percent_hack
                user, _, site = local.rpartition("%")
                if site:
                    return user, site
        if settings.append_at_myorigin and self._origin:  # postconf(5) append_at_myorigin
            return local, self._origin
        return local, ""
