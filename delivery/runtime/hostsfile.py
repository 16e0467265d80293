"""hostsfile - /etc/hosts, read again when it changed.

SUMMARY      HostsFile().addresses(name), .name(address)
RULES        a line is an address and its names; the first name is the one that counts backwards
             lines that make no sense are skipped; without a file nothing is known
SOURCE       hosts(5)
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

from delivery.runtime.filestamp import Stamp, stamp

HOSTS = Path("/etc/hosts")
FILE_LIMIT = 16 * 1024 * 1024  # characters read; block lists grow large


class HostsFile:
    """Looked at for every question; that costs one stat(2)."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path
        self._stamp: Stamp = None
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses of a host, in the file's order."""
        self._read()
        return tuple(self._addresses.get(name.lower(), ()))

    def name(self, address: str) -> str:
        """The first name of an address, or ''."""
        self._read()
        return self._names.get(address, "")

    def _read(self) -> None:
        found = stamp(self._path)
        if found is None or found == self._stamp:
            return  # no hosts file: the DNS alone
        try:
            with self._path.open(errors="replace") as file:
                text = file.read(FILE_LIMIT)
        except OSError:
            return
        self._stamp = found
        self._addresses, self._names = {}, {}
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if len(words) >= 2:
                self._add(words[0], words[1:])

    def _add(self, text: str, names: list[str]) -> None:
        try:
            address = str(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return
        self._names.setdefault(address, names[0])
        for name in names:
            known = self._addresses.setdefault(name.lower(), [])
            if address not in known:
                known.append(address)
