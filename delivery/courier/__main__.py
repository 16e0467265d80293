"""The courier's process: python -m delivery.courier --channel FD and the options of --help.

It is started with one end of a SOCK_SEQPACKET socket pair and ends when the other end closes.
"""

from __future__ import annotations

import argparse
import os
import socket

from delivery.courier.identity import Accounts
from delivery.courier.server import Server, settle_down


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m delivery.courier", description=__doc__)
    parser.add_argument("--channel", type=int, required=True, help="number of the open socket")
    parser.add_argument("--directory", default="/", help="where commands start")
    parser.add_argument(
        "--refuse", type=int, action="append", default=[], help="user number never to become"
    )
    parser.add_argument(
        "--spool",
        action="append",
        default=["/var/mail", "/var/spool/mail"],
        help="mail spool directory in which users' mailboxes are made",
    )
    arguments = parser.parse_args()
    settle_down()
    os.chdir(arguments.directory)
    accounts = Accounts(refused=arguments.refuse, spools=arguments.spool)
    with socket.socket(fileno=arguments.channel) as channel:
        Server(channel, accounts).serve()


if __name__ == "__main__":
    main()
