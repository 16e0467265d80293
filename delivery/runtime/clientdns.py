"""clientdns - the DNS as the servers of one transport are looked up in it.

SUMMARY      ClientDns(resolver, options, filters): what agents.hosts.Resolver asks for
RULES        smtp_dns_reply_filter is given each record, "name. ttl IN MX 10 host."; IGNORE leaves
             it out. When nothing is left, or the filter says anything else, mail waits
             smtp_dns_resolver_options: with res_defnames or res_dnsrch the system's search list
             completes names
ERRORS       DnsUnavailable, hosts.AllDropped; TableUnavailable
SOURCE       postconf(5) smtp_dns_reply_filter, smtp_dns_resolver_options; Postfix dns_rr_filter.c
"""

from __future__ import annotations

from delivery import log
from delivery.agents.hosts import AllDropped
from delivery.policy.facts import DnsUnavailable, Mx
from delivery.runtime.resolver import Answer, Records, Resolver, View
from tables.reading.lookup import Maps

IGNORE = "IGNORE"


class ClientDns(View):
    """Belongs to one agent; the resolver behind it serves all."""

    def __init__(self, resolver: Resolver, options: tuple[str, ...], filters: Maps) -> None:
        self._resolver = resolver
        self._filters = filters
        self.search = bool(options)

    async def mx(self, name: str) -> tuple[Mx, ...]:
        """Mail exchangers."""
        return await self._resolver.mx(name, self)

    async def addresses(self, name: str, *, dns_alone: bool = False) -> Answer:
        """Addresses of a host."""
        return await self._resolver.addresses(name, self, dns_alone=dns_alone)

    def choose(self, kind: str, records: Records) -> Answer:
        """Those that the filter leaves."""
        if not self._filters or not records.texts:
            return records.texts
        kept = tuple(text for text in records.texts if not self._is_dropped(kind, records, text))
        if not kept:
            raise AllDropped(records.owner)
        return kept

    def _is_dropped(self, kind: str, records: Records, text: str) -> bool:
        end = "." if kind == "MX" and not text.endswith(".") else ""  # a name
        line = f"{records.owner}. {records.ttl} IN {kind} {text}{end}"
        found = self._filters.get(line)
        if found is None:
            return False
        action = found.partition(" ")[0].partition("\t")[0]
        if action.upper() != IGNORE:
            log.event("smtp", problem=f"smtp_dns_reply_filter: unknown action {action[:40]!r}")
            raise DnsUnavailable(f"{records.owner} {kind}: the filter does not say what to do")
        log.event("smtp", ignored=line)
        return True
