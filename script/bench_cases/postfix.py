"""postfix - a private Postfix: configuration, queue and log below one folder, on a free port.

SUMMARY      with PostfixServer(folder, setting) as server: server.port, .is_empty(), .meter
RULES        tuned for throughput where that does not change what is safe: no rate limit by the
             queue, long-lived processes, more deliveries at once, no peer names
             what a message goes through is the same as in waypost.py
SOURCE       postconf(5), master(5), TUNING_README
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Self

from bench_cases.house import free_port
from bench_cases.load import find, wait_for_greeting
from bench_cases.meter import Meter
from bench_cases.setting import MAILBOXES, Setting

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
smtp_host_lookup = native
virtual_mailbox_base = {folder}/box
virtual_mailbox_domains = box.test
virtual_mailbox_maps = cdb:{folder}/boxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_alias_domains = bench.test
virtual_alias_maps = cdb:{folder}/virtual
transport_maps = cdb:{folder}/transport
in_flow_delay = 0
default_process_limit = 100
max_use = 10000
default_destination_concurrency_limit = 50
initial_destination_concurrency = 20
"""
MASTER = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
QUEUES = ("incoming", "active", "maildrop")


class PostfixServer:
    """One that runs."""

    name = "Postfix"

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.port = free_port()
        self.meter = Meter()
        self._folder = folder
        self._conf = folder / "conf"
        for name in ("conf", "queue", "data", "box"):
            (folder / name).mkdir(parents=True)
        shutil.chown(folder / "data", "postfix")
        shutil.chown(folder / "box", 65534, 65534)
        lines = [f"{name} = {value}\n" for name, value in setting.parameters.items()]
        (self._conf / "main.cf").write_text(MAIN.format(folder=folder) + "".join(lines))
        (self._conf / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{self.port}"))
        self._map("virtual", (f"{key} {value}\n" for key, value in setting.virtual))
        self._map("transport", (f"{key} {value}\n" for key, value in setting.transport))
        self._map("boxes", (f"{box}@box.test {box}/\n" for box in MAILBOXES))

    def __enter__(self) -> Self:
        self.meter.__enter__()
        starter = self.meter.start(
            self._command("postfix", "start"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if starter.wait():
            raise SystemExit("Postfix does not start: postfix -c DIR start")
        pid = (self._folder / "queue/pid/master.pid").read_text()
        self.meter.follow(int(pid))
        wait_for_greeting(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(self._command("postfix", "stop"), capture_output=True, check=False)
        self.meter.__exit__()

    def is_empty(self) -> bool:
        """True when nothing is under way (deferred mail is not)."""
        return not any(_holds_file(self._folder / "queue" / name) for name in QUEUES)

    def letters(self) -> int:
        """How many are in Maildirs."""
        return sum(1 for _ in (self._folder / "box").glob("*/new/*"))

    def _map(self, name: str, lines: object) -> None:
        source = self._folder / name
        with source.open("w") as out:
            out.writelines(lines)  # type: ignore[arg-type]
        subprocess.run(self._command("postmap", f"cdb:{source}"), check=True)

    def _command(self, name: str, *arguments: str) -> tuple[str, ...]:
        program = find(name)
        assert program is not None
        return (program, "-c", str(self._conf), *arguments)


def _holds_file(folder: Path) -> bool:
    """Queue directories may be hashed: one letter a level."""
    for entry in folder.iterdir():
        if len(entry.name) > 1 or (entry.is_dir() and _holds_file(entry)):
            return True
    return False
