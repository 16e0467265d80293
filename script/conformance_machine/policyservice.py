"""policyservice - policy services of a machine: answer by rules, and remember what was asked.

SUMMARY      PolicyService(port, about, seen).listen(socket)
RULES        the first rule whose expressions all match its attributes gives the answer: an action,
             or with "!" the bytes themselves; "!close", "!hang N"; otherwise DUNNO
SOURCE       FORMAT.md, policy.json; SMTPD_POLICY_README
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

from conformance_machine.places import Normal, readable


class PolicyService:
    """One service."""

    def __init__(self, port: int, about: Mapping[str, Any], seen: list[dict[str, Any]]) -> None:
        """`seen` is where requests are remembered, those of all services in order."""
        self._port = port
        self._rules = about.get("rules", [])
        self._seen = seen

    def listen(self, listening: socket.socket) -> None:
        """Serve a listening socket for ever."""
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                while (attributes := _request(lines)) is not None:
                    self._seen.append({"port": self._port, "attributes": attributes})
                    answer = self._answer(dict(attributes))
                    if answer == "!close":
                        return
                    if answer.startswith("!hang"):
                        time.sleep(float(answer.split()[1]))
                        return
                    is_raw = answer.startswith("!")
                    connection.sendall((answer[1:] if is_raw else f"action={answer}\n\n").encode())
        except OSError:
            return  # the other side left

    def _answer(self, attributes: Mapping[str, str]) -> str:
        for wanted, answer in self._rules:
            if all(
                re.search(pattern, attributes.get(name, ""), re.IGNORECASE)
                for name, pattern in wanted.items()
            ):
                return str(answer)
        return "DUNNO"


def _request(lines: BinaryIO) -> list[tuple[str, str]] | None:
    """The attributes of one request in order; None at the end."""
    found: list[tuple[str, str]] = []
    while line := lines.readline():
        if line == b"\n":
            return found
        name, _, value = readable(line.rstrip(b"\n")).partition("=")
        found.append((name, value))
    return None


def described(seen: list[dict[str, Any]], normal: Normal) -> list[dict[str, Any]]:
    """The requests without what is another at each run."""
    found, instances = [], dict[str, str]()
    for each in seen:
        state = dict(each["attributes"]).get("protocol_state")
        attributes = {}
        for name, value in each["attributes"]:
            if name == "instance":
                value = instances.setdefault(value, f"{{I{len(instances) + 1}}}")
            elif (name == "client_port" and value.isdigit() and value != "0") or (
                name == "size" and state == "END-OF-MESSAGE"
            ):
                value = "{N}"
            elif name == "queue_id" and value:  # of a message that was refused perhaps
                normal.queue_ids.add(value)
            attributes[name] = normal.text(value)
        found.append({"port": each["port"], "attributes": attributes})
    return found
