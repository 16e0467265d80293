"""smtp - the protocol, both ends, without any I/O: bytes in, events out (RFC 5321, 2033)."""
