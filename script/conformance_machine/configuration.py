"""configuration - the configuration directory of a scenario's machine.

SUMMARY      write_configuration(scenario, root): <root>/etc/postfix and <root>/etc/aliases
RULES        the files of the scenario with places filled in; what the machine of every scenario has
             is added to main.cf where that does not set it, and master.cf is the usual one with the
             scenario's lines put in: a line replaces that of the same service, "#name type ..."
             takes one away
SOURCE       FORMAT.md, The machine of a scenario
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from conformance_machine.places import fill
from conformance_machine.suite import Scenario

# no mail policy: speed, and what would make observations differ from run to run
OF_EVERY_MACHINE = {
    "mail_name": "Postfix",  # what the recorded texts say
    "mail_spool_directory": "{MAIL}",
    "inet_protocols": "ipv4",
    "in_flow_delay": "0",
    "smtpd_error_sleep_time": "0",
    "smtp_tls_security_level": "",
    "smtpd_tls_security_level": "",
    "smtp_connect_timeout": "3s",
    "smtp_balance_inet_protocols": "no",
    "lmtp_connect_timeout": "3s",
    "minimal_backoff_time": "3000s",
    "maximal_backoff_time": "4000s",
    "queue_run_delay": "3000s",
    "export_environment": "TZ MAIL_CONFIG LANG",
    "alias_maps": "hash:/etc/aliases",
    "alias_database": "hash:/etc/aliases",
}
USUAL_SERVICES = """\
smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""
_NAME = re.compile(r"^([A-Za-z0-9_]+)\s*=", re.MULTILINE)


def write_configuration(scenario: Scenario, root: Path) -> Path:
    """Write all files; return the configuration directory."""
    directory = root / "etc" / "postfix"
    shutil.copytree(scenario.configuration, directory, ignore=shutil.ignore_patterns("cases.json"))
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        if path.is_file():
            data = path.read_bytes().decode("utf-8", "surrogateescape")
            path.write_bytes(fill(data).encode("utf-8", "surrogateescape"))
    (root / "etc" / "aliases").write_text("")
    main = directory / "main.cf"
    text = main.read_text(encoding="utf-8")
    have = set(_NAME.findall(text))
    added = [f"{n} = {fill(v)}\n" for n, v in OF_EVERY_MACHINE.items() if n not in have]
    main.write_text(f"{text}\n{''.join(added)}", encoding="utf-8")
    master = directory / "master.cf"
    own = master.read_text(encoding="utf-8") if master.exists() else ""
    master.write_text("".join(f"{line}\n" for line in services(own)), encoding="utf-8")
    return directory


def services(own: str) -> list[str]:
    """The lines of master.cf, continuations joined."""
    found: dict[tuple[str, ...], str] = {}
    for line in [*_logical(USUAL_SERVICES), *_logical(own)]:
        words = line.removeprefix("#").split()
        key = tuple(words[:2])
        if not line.startswith("#"):
            found[key] = line
        elif len(words) >= 8:
            found.pop(key, None)
    return list(found.values())


def _logical(text: str) -> Iterator[str]:
    line = ""
    for physical in text.splitlines():
        if not physical.strip():
            continue
        if physical[0] in " \t" and line:
            line += f" {physical.strip()}"
            continue
        if line:
            yield line
        line = physical
    if line:
        yield line
