"""certificates - what is in one: names, and fingerprints of it and of its public key.

SUMMARY      names_of(certificate) -> DNS names; common_name(certificate, "subject" or "issuer")
             fingerprints(der, digest) -> (of the certificate, of its public key)
             load_keys(context, chain_files, cert_file, key_file)
             `certificate` is what ssl.SSLObject.getpeercert() gives, `der` the octets themselves
RULES        a certificate without DNS names has its common name
             a file of a chain holds a key, certificates or both; a key comes before its certificate
             a key that wants a password is of no use: nobody is there to type it
             a key that everybody may read is used, and the log says so each time it is loaded
             fingerprints are lower-case hexadecimal digits; an unknown digest is sha256
SOURCE       RFC 5280; Postfix tls_verify.c, tls_fprint.c
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from delivery import log

# digests that a fingerprint may be of; md5 is Postfix's default of old
DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
FILE_LIMIT = 1024 * 1024  # octets of a file that are looked at
_SEQUENCE = 0x30


def load_keys(
    context: ssl.SSLContext, chain_files: Iterable[str], cert_file: str, key_file: str
) -> None:
    """Load those of the chain files, else those of the other two. Raises OSError.

    OSError too when there are none at all for a server.
    """
    pairs = list(_pairs(chain_files))
    if not pairs and cert_file:
        pairs = [(cert_file, key_file)]
    if not pairs and context.protocol is ssl.PROTOCOL_TLS_SERVER:
        raise OSError("there is no certificate")
    for certificate, key in pairs:
        _check_mode(key or certificate)
        try:
            context.load_cert_chain(certificate, key or None, password=_no_password)
        except ssl.SSLError as error:
            raise OSError(f"{certificate}: {error.reason or error}") from error
        except OSError as error:
            raise OSError(f"{certificate} or {key}: {error.strerror}") from error


def _check_mode(name: str) -> None:
    """Say so when anybody on this machine may read a key. A group is how the engine may."""
    with contextlib.suppress(OSError):  # loading it says so
        if os.stat(name).st_mode & stat.S_IROTH:
            problem = f"everybody may read the private key in {name}: make its mode 0600 or 0640"
            log.event("tls", problem=problem)


def _pairs(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(file with certificates, file with their key); postconf(5) smtpd_tls_chain_files."""
    key = ""
    for name in files:
        with open(name, "rb") as stream:
            text = stream.read(FILE_LIMIT)
        if b"PRIVATE KEY-----" in text:
            key = name
        if b"-----BEGIN CERTIFICATE-----" in text:
            yield name, key


def _no_password() -> str:
    """OpenSSL would ask the terminal, and wait."""
    return ""


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """DNS names of a certificate; of one without any, its common name."""
    found = [text for kind, text in certificate.get("subjectAltName", ()) if kind == "DNS"]
    if found:
        return found
    name = common_name(certificate, "subject")
    return [name] if name else []


def common_name(certificate: Mapping[str, Any], whose: str) -> str:
    """The first common name of its "subject" or "issuer", '' when there is none."""
    parts = certificate.get(whose, ())
    return next((text for part in parts for kind, text in part if kind == "commonName"), "")


def fingerprints(der: bytes, digest: str) -> tuple[str, str]:
    """Those of a certificate and of its public key; '' when it has none."""
    name = digest.lower() if digest.lower() in DIGESTS else "sha256"
    key = public_key(der)
    return (
        hashlib.new(name, der, usedforsecurity=False).hexdigest(),
        "" if key is None else hashlib.new(name, key, usedforsecurity=False).hexdigest(),
    )


def public_key(der: bytes) -> bytes | None:
    """The subjectPublicKeyInfo of a certificate, as it is; None when it has none. RFC 5280 4.1"""
    try:
        certificate = next(_elements(der))
        inner = next(_elements(certificate[1]))
        parts = [part for part in _elements(inner[1]) if part[2] != 0xA0]  # [0] version
    except (IndexError, StopIteration):
        return None
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    return parts[5][0] if len(parts) > 5 and parts[5][2] == _SEQUENCE else None


def _elements(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """(whole, content, tag) of each DER element in `data`. X.690 8.1. Raises IndexError."""
    place = 0
    while place < len(data):
        tag, length, begin = data[place], data[place + 1], place + 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[begin : begin + count], "big")
            begin += count
        end = begin + length
        if end > len(data):
            raise IndexError
        yield data[place:end], data[begin:end], tag
        place = end
