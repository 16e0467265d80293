"""envelopesize - how much of message_size_limit an envelope takes.

SUMMARY      envelope_size(envelope) -> octets; is_too_large(envelope, size, limit)
RULES        message_size_limit is for the message "including envelope information" (postconf(5)):
             counted is what a queue file of Postfix holds beside the text, record by record
SOURCE       Postfix rec_type.h, smtpd.c, cleanup_out_recipient.c
"""

from __future__ import annotations

from delivery.values import Envelope

RECORD = 2  # octets of type and length before each record
# size, time, rewrite_context, and the marks of the three parts
_ALWAYS = 95 + 17 + len("rewrite_context=remote") + 6 * RECORD
_CLIENT = (  # attributes of the client; most of them are there for logging, too
    *("log_client_name=", "log_client_address=", "log_client_port=", "log_message_origin=[]"),
    *("log_helo_name=", "log_protocol_name=", "client_name=", "reverse_client_name="),
    *("client_address=", "client_port=", "helo_name=", "protocol_name=", "client_address_type=2"),
)
_CLIENT_NAMES = sum(len(name) + RECORD for name in _CLIENT)
_RECIPIENT = len("dsn_orig_rcpt=") + 3 * RECORD
_NOTIFY = len("dsn_notify=4") + RECORD
_MOST = 1024  # octets that an address or a client may reasonably take


def is_too_large(envelope: Envelope, size: int, limit: int) -> bool:
    """True when a message with `size` octets of text is above the limit; 0: there is none."""
    if not limit or size + _MOST * (2 + len(envelope.recipients)) <= limit:
        return False  # mostly
    return size + envelope_size(envelope) > limit


def envelope_size(envelope: Envelope) -> int:
    """Octets."""
    size = _ALWAYS + len(envelope.sender.internal) + RECORD
    if (client := envelope.client) is not None:
        about = len(client.name) + len(client.address)
        session = len(str(client.port)) + len(envelope.helo) + len(envelope.protocol)
        size += _CLIENT_NAMES + 3 * about + 2 * session + len(client.reverse_name)
    for recipient in envelope.recipients:
        size += _RECIPIENT + len(recipient.orcpt)
        size += len(recipient.original.internal) + len(recipient.address.internal)
        if recipient.notify:
            size += _NOTIFY
    return size
