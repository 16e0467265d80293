"""client - restrictions that look at who connects: address, names, login, TLS.

SOURCE       postconf(5) smtpd_client_restrictions; Postfix smtpd_check(3)
"""

from __future__ import annotations

from delivery.policy import access
from delivery.policy.case import CERTIFICATE, CLIENT, LOGIN, REVERSE_CLIENT, Case, Subject
from delivery.policy.registry import Answer, restriction
from delivery.policy.verdict import DUNNO, PERMIT, Verdict, reject
from delivery.printable import printable
from tables import keys
from tables.reading.lookup import Maps
from tables.restrictions import Argument

NAMELESS = "unknown"  # what a client without a verified name is called


@restriction("permit_mynetworks")
def permit_mynetworks(case: Case, _: None) -> Verdict:
    """mynetworks holds the client's address or name."""
    client = case.facts.client
    inside = case.partners.mynetworks.matches_host(client.name, client.address, case.lookups)
    return PERMIT if inside else DUNNO


@restriction("permit_inet_interfaces")
def permit_inet_interfaces(case: Case, _: None) -> Verdict:
    """The client is this machine (inet_interfaces)."""
    return PERMIT if case.addresses.is_own(case.facts.client.address) else DUNNO


@restriction("permit_sasl_authenticated")
def permit_sasl_authenticated(case: Case, _: None) -> Verdict:
    """The client has logged in (RFC 4954), where that is offered (XCLIENT may say LOGIN too)."""
    return PERMIT if case.facts.login and case.settings.smtpd_sasl_auth_enable else DUNNO


@restriction("permit_tls_all_clientcerts")
def permit_tls_all_clientcerts(case: Case, _: None) -> Verdict:
    """The client showed a certificate of a trusted authority."""
    tls = case.facts.tls
    return PERMIT if tls is not None and tls.is_trusted else DUNNO


@restriction("permit_tls_clientcerts")
def permit_tls_clientcerts(case: Case, _: None) -> Verdict:
    """relay_clientcerts holds the fingerprint of the client's certificate or public key."""
    tls = case.facts.tls
    if tls is None:
        return DUNNO
    prints = [text for text in (tls.certificate_fingerprint, tls.public_key_fingerprint) if text]
    found = case.partners.relay_clientcerts.find(prints, case.lookups)
    return DUNNO if found is None else PERMIT


@restriction("reject_unknown_client_hostname")
def reject_unknown_client_hostname(case: Case, _: None) -> Verdict:
    """450 4.7.25 (unknown_client_reject_code): no name, or the name does not lead back."""
    client = case.facts.client
    if client.name != NAMELESS:
        return DUNNO
    code = 450 if client.forward_error else case.settings.unknown_client_reject_code
    text = f"Client host rejected: cannot find your hostname, [{client.address}]"
    return reject(code, "4.7.25", text)  # RFC 7372 3.3


@restriction("reject_unknown_reverse_client_hostname")
def reject_unknown_reverse_client_hostname(case: Case, _: None) -> Verdict:
    """450 4.7.1 (unknown_client_reject_code): the address has no name at all."""
    client = case.facts.client
    if client.reverse_name != NAMELESS:
        return DUNNO
    code = 450 if client.forward_error else case.settings.unknown_client_reject_code
    text = f"Client host rejected: cannot find your reverse hostname, [{client.address}]"
    return reject(code, "4.7.1", text)


@restriction("check_client_access", Argument.TABLE)
def check_client_access(case: Case, maps: Maps) -> Answer:
    """Name and its parents, then address and its prefixes. access(5)."""
    client = case.facts.client
    asked = keys.access_client(client.name, client.address, parent=case.partners.access_parent)
    subject = Subject(case.facts.client_text, CLIENT)
    return access.ask_table(case, maps, asked, subject) or DUNNO


@restriction("check_reverse_client_hostname_access", Argument.TABLE)
def check_reverse_client_hostname_access(case: Case, maps: Maps) -> Answer:
    """Unverified name and its parents, then address and its prefixes; may not permit."""
    name, address = case.facts.client.reverse_name, case.facts.client.address
    asked = keys.access_client(name, address, parent=case.partners.access_parent)
    subject = Subject(name, REVERSE_CLIENT)
    answer = access.ask_table(case, maps, asked, subject) or DUNNO
    return access.never_permit(case, answer, "check_reverse_client_hostname_access", name)


@restriction("check_sasl_access", Argument.TABLE)
def check_sasl_access(case: Case, maps: Maps) -> Answer:
    """The login name, exactly. postconf(5) check_sasl_access."""
    login = case.facts.login
    if not login or not case.settings.smtpd_sasl_auth_enable:
        return DUNNO
    shown = printable(login, "_")
    return access.ask_table(case, maps, (login,), Subject(shown, LOGIN)) or DUNNO


@restriction("check_ccert_access", Argument.TABLE)
def check_ccert_access(case: Case, maps: Maps) -> Answer:
    """Fingerprint of the client's certificate, then of its public key."""
    tls = case.facts.tls
    if tls is None:
        return DUNNO
    subject = Subject(tls.subject_name, CERTIFICATE)
    for print_ in (tls.certificate_fingerprint, tls.public_key_fingerprint):
        answer = access.ask_table(case, maps, (print_,), subject) if print_ else None
        if answer is not None and answer != DUNNO:
            return answer
    return DUNNO
