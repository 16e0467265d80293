"""tlsserver - the server's half of TLS: keys and certificates, and what a handshake tells.

SUMMARY      TlsServer(settings), one for each service of a generation: .is_offered
             .context() -> ssl.SSLContext for the next handshake, None when TLS cannot be used
             .facts(secured) -> what restrictions know of it; .comments(facts) for Received
RULES        keys are read when a generation is made ready and, when the files have changed, at the
             next handshake: a renewed certificate needs nobody. One that cannot be read leaves the
             one before in use
             the engine reads them with the rights of its own account (decision 0014)
             a client is asked for a certificate only where there are authorities to check it
             against; one of nobody we trust ends the handshake (OpenSSL checks the chain)
ERRORS       none: `problem` says what is wrong, and so does the log; STARTTLS is answered 454
SOURCE       postconf(5) smtpd_tls_...; Postfix TLS_README, tls_server.c; RFC 3207, RFC 5280
"""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass

from delivery import certificates, log, trace
from delivery.policy.facts import Tls
from delivery.runtime.filestamp import Stamp, stamp
from delivery.tlsterms import ANY_STRENGTH, CipherLists, versions

NO_CERTIFICATE = "none"  # postconf(5) smtpd_tls_cert_file


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTlsSettings(CipherLists):
    """Field names are those of postconf(5)."""

    smtpd_tls_security_level: str = ""
    smtpd_use_tls: bool = False
    smtpd_enforce_tls: bool = False
    smtpd_tls_wrappermode: bool = False
    smtpd_tls_chain_files: tuple[str, ...] = ()
    smtpd_tls_cert_file: str = ""
    smtpd_tls_key_file: str = ""
    smtpd_tls_CAfile: str = ""
    smtpd_tls_CApath: str = ""
    smtpd_tls_ask_ccert: bool = False
    smtpd_tls_req_ccert: bool = False
    smtpd_tls_received_header: bool = False
    smtpd_tls_protocols: tuple[str, ...] = (">=TLSv1",)
    smtpd_tls_mandatory_protocols: tuple[str, ...] = (">=TLSv1",)
    smtpd_tls_ciphers: str = "medium"
    smtpd_tls_mandatory_ciphers: str = "medium"
    smtpd_tls_exclude_ciphers: tuple[str, ...] = ()
    smtpd_tls_mandatory_exclude_ciphers: tuple[str, ...] = ()
    smtpd_tls_fingerprint_digest: str = "sha256"
    smtpd_tls_loglevel: int = 0
    smtpd_starttls_timeout: float = 300.0
    tls_preempt_cipherlist: bool = False

    @property
    def is_required(self) -> bool:
        """True when no mail is taken without encryption."""
        level = self.smtpd_tls_security_level
        return (
            self.smtpd_tls_wrappermode
            or level == "encrypt"
            or (not level and self.smtpd_enforce_tls)
        )

    @property
    def is_offered(self) -> bool:
        """True when clients may have it."""
        level = self.smtpd_tls_security_level
        return self.is_required or level == "may" or (not level and self.smtpd_use_tls)

    @property
    def requires_certificate(self) -> bool:
        """True when clients must show one; postconf(5): only where TLS is required, too."""
        return self.smtpd_tls_req_ccert and self.is_required


class TlsServer:
    """What one service needs for handshakes."""

    def __init__(self, settings: ServerTlsSettings) -> None:
        self.settings = settings
        self.problem = ""  # why there is no context, or no newer one
        self.asks = False  # for a certificate
        self._context: ssl.SSLContext | None = None
        self._stamps: tuple[Stamp, ...] | None = None  # of the files as they were read
        self.is_offered = settings.is_offered
        self.is_required = settings.is_required
        if settings.is_offered:
            self.context()

    def context(self) -> ssl.SSLContext | None:
        """For the next handshake; None: TLS cannot be used."""
        stamps = tuple(map(stamp, self._files()))
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = self._make()
                self.problem = ""
            except (OSError, ValueError) as error:
                self.problem = str(error)
                log.event("smtpd", problem=f"TLS cannot be used as it is configured: {error}")
        return self._context

    def facts(self, secured: ssl.SSLObject) -> Tls:
        """What is known after a handshake."""
        name, _, bits = secured.cipher() or ("", "", 0)
        der = secured.getpeercert(binary_form=True)
        certificate = secured.getpeercert() or {}
        prints = ("", "")
        if der is not None:
            digest = self.settings.smtpd_tls_fingerprint_digest
            prints = certificates.fingerprints(der, digest)
        return Tls(
            protocol=secured.version() or "",
            cipher=name,
            key_bits=bits,
            certificate_fingerprint=_shown(prints[0]),
            public_key_fingerprint=_shown(prints[1]),
            subject_name=certificates.common_name(certificate, "subject"),
            issuer_name=certificates.common_name(certificate, "issuer"),
            is_trusted=der is not None,  # or there had been no handshake
        )

    def comments(self, tls: Tls) -> tuple[str, ...]:
        """What Received says of it. postconf(5) smtpd_tls_received_header."""
        if not self.settings.smtpd_tls_received_header:
            return ()
        bits = tls.key_bits
        about = f"using {tls.protocol} with cipher {tls.cipher} ({bits}/{bits} bits)"
        if tls.is_trusted:
            names = map(trace.scrub, (tls.subject_name, tls.issuer_name))
            return about, 'Client CN "{}", Issuer "{}" (verified OK)'.format(*names)
        if self.asks:
            return about, "Client did not present a certificate"
        return about, "No client certificate requested"

    # inside

    def _files(self) -> list[str]:
        settings = self.settings
        chain = settings.smtpd_tls_chain_files
        own = (settings.smtpd_tls_cert_file, settings.smtpd_tls_key_file)
        found = [*(chain or own), settings.smtpd_tls_CAfile, settings.smtpd_tls_CApath]
        return [name for name in found if name and name != NO_CERTIFICATE]

    def _make(self) -> ssl.SSLContext:
        """A context. Raises OSError, ValueError."""
        settings = self.settings
        is_required = settings.is_required
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is asked for by name
            context.minimum_version, context.maximum_version = versions(
                settings.smtpd_tls_mandatory_protocols
                if is_required
                else settings.smtpd_tls_protocols
            )
        if not settings.tls_preempt_cipherlist:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        asks = settings.smtpd_tls_ask_ccert or settings.requires_certificate
        file, path = settings.smtpd_tls_CAfile, settings.smtpd_tls_CApath
        if asks and (file or path):
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(file or None, path or None)
        elif asks:
            log.event(
                "smtpd",
                problem="nobody is asked for a certificate: smtpd_tls_CAfile names no authorities",
            )
        self.asks = context.verify_mode is ssl.CERT_OPTIONAL
        context.set_ciphers(f"{self._ciphers()}:{ANY_STRENGTH}")
        certificates.load_keys(
            context,
            settings.smtpd_tls_chain_files,
            "" if settings.smtpd_tls_cert_file == NO_CERTIFICATE else settings.smtpd_tls_cert_file,
            settings.smtpd_tls_key_file,
        )
        return context

    def _ciphers(self) -> str:
        settings = self.settings
        excluded = list(settings.smtpd_tls_exclude_ciphers)
        grade = settings.smtpd_tls_ciphers
        if settings.is_required:
            excluded += settings.smtpd_tls_mandatory_exclude_ciphers
            grade = settings.smtpd_tls_mandatory_ciphers
        if self.asks:
            excluded.append("aNULL")  # there, nobody shows a certificate
        return settings.of(grade, excluded)


def _shown(digits: str) -> str:
    """As Postfix writes fingerprints: AB:CD:..."""
    upper = digits.upper()
    return ":".join(upper[at : at + 2] for at in range(0, len(upper), 2))
