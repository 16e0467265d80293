"""A service that speaks TLS from the first byte (smtpd_tls_wrappermode), over sockets."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.wire.dnsserver import DnsServer
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually

CERTIFICATE = Path(__file__).parents[1] / "delivery" / "agents" / "certificates" / "good.pem"
SERVICE = "submissions inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"


@pytest.fixture
def certificate(home: Home) -> Path:
    """Where it is to be; not there yet."""
    return home.path / "own.pem"


def lay(certificate: Path) -> None:
    shutil.copy(CERTIFICATE, certificate)
    certificate.chmod(0o644)  # a test's key is no secret, and the engine's account reads it


def context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def test_the_handshake_waits_for_the_clients_name(home: Home, certificate: Path) -> None:
    """What comes meanwhile is for the handshake, and is not lost."""
    lay(certificate)
    home.publish(
        values={"smtpd_tls_cert_file": str(certificate), "smtpd_peername_lookup": "yes"},
        services=[SERVICE],
    )
    port = free_port()
    with DnsServer() as names:
        names.behaviour["9.0.0.127.in-addr.arpa"] = "wait"
        places = {"WAYPOST_RESOLVER": names.endpoint, "WAYPOST_SMTPS": f"127.0.0.1:{port}"}
        with Running(home, **places) as engine:
            eventually(lambda: not engine.ask("status")["listener_errors"])
            made = socket.create_connection(("127.0.0.1", port), 60, ("127.0.0.9", 0))
            with context().wrap_socket(made, do_handshake_on_connect=False) as secured:
                secured.setblocking(False)
                with pytest.raises(ssl.SSLWantReadError):
                    secured.do_handshake()
                eventually(lambda: names.asked, within_s=60)
                names.gate.set()
                secured.settimeout(60)
                secured.do_handshake()
                assert secured.recv(4) == b"220 "


def test_without_a_certificate_nobody_listens(home: Home, certificate: Path) -> None:
    home.publish(values={"smtpd_tls_cert_file": str(certificate)}, services=[SERVICE])
    port = free_port()
    with Running(home, WAYPOST_SMTPS=f"127.0.0.1:{port}") as engine:
        problem = engine.ask("status")["listener_errors"]["submissions"]
        assert "service submissions: smtpd_tls_wrappermode: " in problem
        assert str(certificate) in problem
        lay(certificate)
        place = f"submissions 127.0.0.1:{port}"  # a problem is forgotten before it is solved
        eventually(lambda: place in engine.ask("status")["listeners"], within_s=60)
        socket.create_connection(("127.0.0.1", port), 60).close()
        assert engine.ask("status")["listener_errors"] == {}


def test_behind_a_proxy(home: Home, certificate: Path) -> None:
    """The handshake comes with the header, in one piece."""
    lay(certificate)
    home.publish(
        values={"smtpd_tls_cert_file": str(certificate), "smtpd_peername_lookup": "no"},
        services=[f"{SERVICE} -o smtpd_upstream_proxy_protocol=haproxy"],
    )
    port = free_port()
    with Running(home, WAYPOST_SMTPS=f"127.0.0.1:{port}") as engine:
        eventually(lambda: not engine.ask("status")["listener_errors"])
        arriving, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context().wrap_bio(arriving, leaving)
        with pytest.raises(ssl.SSLWantReadError):
            secured.do_handshake()
        with socket.create_connection(("127.0.0.1", port), 60) as made:
            header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 465\r\n"
            made.sendall(header + leaving.read())
            heard = b""
            while not heard.endswith(b"\r\n"):
                arriving.write(made.recv(65536))
                try:
                    secured.do_handshake()
                    made.sendall(leaving.read())
                    heard += secured.read()
                except ssl.SSLWantReadError:
                    made.sendall(leaving.read())
            assert heard.startswith(b"220 ")
