"""content - what is done to the text of a message on its way into the queue, and out by SMTP.

SUMMARY      incoming.Incoming(parameters, tables, router).begin(...) -> Cleaner: the door for mail
             that comes in; outgoing.Outgoing(...).begin() for mail that leaves
             Cleaner.feed(bytes) -> bytes as the message passes; .finish() -> Cleaned
FILES        cleaner: the stream of header lines and body lines; heading: what becomes of headers
             headers: what is known of header names; weights: which of them need work; limits
             addresslist: address headers as tokens
             contexts: whose mail is rewritten; rewriting: what header addresses become
             completion: missing headers
             mime: where parts begin; checks: header_checks(5) and its actions
RULES        pure: no I/O, no clock; however the bytes are cut, what comes out is the same
SOURCE       RFC 5322, RFC 2045, RFC 2046; header_checks(5), ADDRESS_REWRITING_README, cleanup(8)
"""
