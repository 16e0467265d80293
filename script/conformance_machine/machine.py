"""machine - one scenario, inside of its namespaces; run as a program by worker.py.

SUMMARY      machine.py JOB (a JSON file): writes the observations into the job's output file
RULES        the machine is made, the engine started, then the cases follow each other. Before each
             one the queue and all mailboxes are empty; what is left of it is deleted.
             What goes wrong with the machine or the engine is written into each case as
             `harness_error`: no case passes by it. After a queue that does not come to rest, or an
             engine that is gone, a new one with an empty queue goes on with the next case.
SOURCE       FORMAT.md
"""

from __future__ import annotations

import functools
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[0:1] = [str(Path(__file__).resolve().parents[each]) for each in (1, 2)]

from conformance_machine import authservice, milter, policyservice  # noqa: E402 - found by the line above
from conformance_machine.accounts import MNT, make_places  # noqa: E402
from conformance_machine.authservice import AuthService  # noqa: E402
from conformance_machine.dialogue import Dialogue, Surroundings  # noqa: E402
from conformance_machine.dnsserver import DnsServer, Zone, dns_socket  # noqa: E402
from conformance_machine.engine import FINAL_EVENTS, Engine, EngineTrouble, Places  # noqa: E402
from conformance_machine.harvest import (  # noqa: E402
    Mailboxes,
    runs_of_commands,
    sessions,
    transactions,
)
from conformance_machine.milter import Milter  # noqa: E402
from conformance_machine.namespaces import NoNamespaces, enter_network  # noqa: E402
from conformance_machine.network import Network  # noqa: E402
from conformance_machine.places import DATE, Normal  # noqa: E402
from conformance_machine.policyservice import PolicyService  # noqa: E402
from conformance_machine.sink import Sinks  # noqa: E402
from conformance_machine.suite import load  # noqa: E402

SMTP_PORT = 25
LINGER_S = 4.0


class Machine:
    """Everything that one scenario needs."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job = job
        directory = Path(job["directory"])
        self._about = load(directory / "scenario.json")
        self._document = load(Path(job["cases"]))
        users = load(directory / "users.json", [])
        dns = load(directory / "dns.json", {})
        sinks = load(directory / "sinks.json", {})
        self._accounts = make_places(
            Path(job["root"]),
            self._about,
            users,
            dns.get("hosts", []),
            Path(job["certificates"]),
            has_users=job["has_users"],
        )
        self._network = Network(self._about.get("network", {}), sinks.get("unreachable", []))
        DnsServer(Zone(dns), self._network.at_server(dns_socket))
        self._sinks = Sinks(sinks.get("behaviour", {}), MNT / "certs")
        self._listen(sinks)
        self._milters: list[dict[str, Any]] = []
        self._asked: list[dict[str, Any]] = []
        self._listen_beside(directory)
        places = Places(Path(job["code"]), Path(job["python"]), Path(job["home"]), Path(job["log"]))
        descriptor = self._network.descriptor
        self._engine = Engine(places, lambda: enter_network(descriptor))
        self._normal = Normal()
        self._known: set[str] = set()  # queue ids of earlier cases
        self._deliveries: list[dict[str, Any]] = []

    def _listen(self, about: Mapping[str, Any]) -> None:
        families = ["0.0.0.0", "::"] if self._network.server6 else ["0.0.0.0"]  # noqa: S104
        for port in [SMTP_PORT, *about.get("ports", [])]:
            for host in families:
                self._sinks.listen(_listening(host, port))
        for port in about.get("local_ports", []):
            self._sinks.listen(self._local_socket(port))

    def _listen_beside(self, directory: Path) -> None:
        """Milters, policy services, and who knows who may log in, on the server itself."""
        sasl = self._about.get("sasl")
        if sasl and sasl.get("type") != "cyrus":
            AuthService(sasl).listen(authservice.listening())
        for port, about in load(directory / "milters.json", {}).items():
            Milter(int(port), about, self._milters).listen(self._local_socket(int(port)))
        for port, about in load(directory / "policy.json", {}).items():
            PolicyService(int(port), about, self._asked).listen(self._local_socket(int(port)))

    def _local_socket(self, port: int) -> socket.socket:
        return self._network.at_server(functools.partial(_listening, "127.0.0.1", port))

    def run(self) -> dict[str, Any]:
        """Observe all cases; the document with them."""
        trouble = ""
        try:
            self._engine.start()
        except EngineTrouble as error:
            trouble = str(error)
        self._mailboxes = Mailboxes([Path(self._job["home"]) / "mail"])
        for case in self._document["cases"]:
            if trouble:
                case["observed"] = {"harness_error": trouble}
                continue
            try:
                case["observed"] = self._observe(case["input"])
            except (OSError, EngineTrouble, subprocess.TimeoutExpired) as error:
                case["observed"] = {"harness_error": f"{type(error).__name__}: {error}"}
                trouble = self._begin_anew()
        self._engine.stop()
        self._document["recorded_with"] = "Waypost"
        return dict(self._document)

    def _begin_anew(self) -> str:
        """Another engine for the next case; '' or why there is none."""
        try:
            self._engine.begin_anew()
        except EngineTrouble as error:
            return str(error)
        kept = (Normal(), ())
        self._mailboxes.new(*kept)
        runs_of_commands(*kept)
        return ""

    def _observe(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._normal = Normal()
        self._deliveries = []
        self._sinks.forget()
        self._milters.clear()
        self._asked.clear()
        kept_dates = DATE.findall(json.dumps(given))
        dialogue = Dialogue(given, self._surroundings())
        replies = dialogue.run()
        self._wait_for_goodbyes()
        left = self._left()
        observed: dict[str, Any] = {"greeting": dialogue.greetings, "replies": replies}
        observed["deliveries"] = self._described_deliveries()
        observed["mailboxes"] = self._mailboxes.new(self._normal, kept_dates)
        observed["commands"] = runs_of_commands(self._normal, kept_dates)
        observed["smtp_out"] = transactions(self._sinks.transactions, self._normal, kept_dates)
        observed["left_in_queue"] = left
        if self._about.get("sessions"):
            observed["sessions"] = sessions(self._sinks.sessions, self._normal)
        offers = bool(self._about.get("milter_offer"))
        observed["milter"] = milter.described(self._milters, self._normal, offers=offers)
        observed["policy"] = policyservice.described(self._asked, self._normal)
        for reply in [*observed["greeting"], *_flat(replies)]:
            reply["text"] = [self._normal.text(text) for text in reply["text"]]
        always = ("greeting", "replies")
        return {name: value for name, value in observed.items() if value or name in always}

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            about=self._about,
            network=self._network,
            engine=self._engine,
            accounts=self._accounts,
            certificates=MNT / "certs",
            normal=self._normal,
            end_stage=self._end_stage,
            queue_ids=self._queue_ids,
        )

    def _end_stage(self, stage: int) -> None:
        """Collect what was delivered up to here."""
        self._engine.settle()
        for event in self._engine.events():
            queue_id = event.get("queue_id", "")
            if queue_id in self._known:
                continue  # a message of an earlier case, tried again
            if queue_id:
                self._normal.queue_ids.add(queue_id)
            status = FINAL_EVENTS.get(event["event"])
            if event.get("soft_bounce"):  # as Postfix says it
                status = "SOFTBOUNCE"
            if status is not None:
                self._deliveries.append(_delivery(stage, status, event))

    def _queue_ids(self) -> list[str]:
        found = [m for m in self._engine.left_in_queue() if m["id"] not in self._known]
        return [m["id"] for m in sorted(found, key=lambda m: (m["arrived"], m["id"]))]

    def _wait_for_goodbyes(self) -> None:
        """Until the engine has closed its connections, where they are looked at."""
        sessions_of_interest = self._sinks.sessions if self._about.get("sessions") else []
        deadline = time.monotonic() + self._about.get("linger", LINGER_S)
        while time.monotonic() < deadline and any(
            each["open"] for each in [*sessions_of_interest, *self._milters]
        ):
            time.sleep(0.01)

    def _left(self) -> list[dict[str, Any]]:
        """What stayed in the queue; it is deleted."""
        found = []
        for message in self._engine.left_in_queue():
            if message["id"] in self._known:
                continue
            self._normal.queue_ids.add(message["id"])
            recipients = message["recipients"]
            found.append(
                {
                    "queue": message["state"],
                    "sender": message["sender"] or "MAILER-DAEMON",
                    "recipients": sorted(each["address"] for each in recipients),
                    "reasons": sorted({each["reason"] for each in recipients if each["reason"]}),
                }
            )
        if found:
            self._engine.delete_all()
        self._known |= self._normal.queue_ids
        return sorted(found, key=lambda item: json.dumps(item))

    def _described_deliveries(self) -> list[dict[str, Any]]:
        order: dict[str, str] = {}
        for each in self._deliveries:
            each["queue"] = order.setdefault(each["queue"], f"Q{len(order) + 1}")
            for name in ("reason", "recipient", "original_recipient", "nexthop", "sender", "relay"):
                if each[name] is not None:
                    each[name] = self._normal.text(each[name])
        return sorted(
            self._deliveries,
            key=lambda d: (d["stage"], d["recipient"], d["transport"] or "", d["queue"]),
        )


def _delivery(stage: int, status: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the journal; empty values are not in it.

    What was refused on its way in has no transport; Postfix names no sender with it either.
    """
    transport = event.get("transport")
    recipient = event.get("recipient", "")
    return {
        "stage": stage,
        "queue": event.get("queue_id", ""),
        "transport": transport,
        "nexthop": None if transport is None else event.get("nexthop", ""),
        "sender": None if transport is None else _unquoted(event.get("sender", "")),
        "recipient": recipient,
        "original_recipient": event.get("original_recipient", recipient),
        "relay": event.get("relay", "none"),
        "status": status,
        "dsn": event.get("dsn", ""),
        "reason": event.get("reason", ""),
    }


def _unquoted(address: str) -> str:
    """The internal form of an address: Postfix logs senders like that, and recipients quoted."""
    local, at, domain = address.rpartition("@")
    if not local.startswith('"'):
        return address
    return re.sub(r"\\(.)", r"\1", local[1:-1]) + at + domain


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((host, port))
    made.listen(64)
    return made


def _flat(replies: list[Any]) -> list[dict[str, Any]]:
    found = []
    for reply in replies:
        found += reply if isinstance(reply, list) else [reply]
    return found


def main() -> int:
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        document = Machine(job).run()
    except (OSError, NoNamespaces) as error:
        print(f"no machine could be made: {error}", file=sys.stderr)
        return 1
    Path(job["output"]).write_text(json.dumps(document, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
