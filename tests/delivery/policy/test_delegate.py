"""What a policy service is told of login and certificate."""

from __future__ import annotations

from dataclasses import replace

from delivery.policy.delegate import attributes
from delivery.policy.facts import Facts, Stage, Tls
from delivery.values import Client

FACTS = Facts(
    stage=Stage.RCPT,
    client=Client(address="192.0.2.7", port=4000),
    login="joe",
    sasl_method="PLAIN",
    tls=Tls(
        protocol="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        key_bits=256,
        certificate_fingerprint="AA:BB",
        public_key_fingerprint="CC:DD",
        subject_name="mx client=\n",
        issuer_name="Test CA",
        is_trusted=True,
    ),
)


def test_names_are_xtext() -> None:
    """SMTPD_POLICY_README: they could hold anything, a line end too."""
    told = dict(attributes(FACTS, ""))
    assert told["ccert_subject"] == "mx+20client+3D+0A"
    assert told["ccert_issuer"] == "Test+20CA"
    assert (told["ccert_fingerprint"], told["ccert_pubkey_fingerprint"]) == ("AA:BB", "CC:DD")
    assert told["encryption_keysize"] == "256"
    assert (told["sasl_method"], told["sasl_username"]) == ("PLAIN", "joe")


def test_who_is_not_trusted_has_no_name() -> None:
    assert FACTS.tls is not None
    told = dict(attributes(replace(FACTS, tls=replace(FACTS.tls, is_trusted=False)), ""))
    assert (told["ccert_subject"], told["ccert_issuer"]) == ("", "")
    assert told["ccert_fingerprint"] == "AA:BB"


def test_in_the_clear_there_is_nothing_to_tell() -> None:
    told = dict(attributes(replace(FACTS, tls=None, login="", sasl_method=""), ""))
    names = [name for name in told if name.startswith(("ccert", "encryption", "sasl"))]
    assert {told[name] for name in names} == {"", "0"}
