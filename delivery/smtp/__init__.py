"""smtp - the protocol, both ends, without any I/O: bytes in, events out (RFC 5321, 2033).

SUMMARY      server.ServerProtocol (bytes -> events.py -> replies.py -> bytes), for the runtime's
             sessions client.ClientProtocol (bytes -> answers.py -> exchange.py), for the agents
FILES        state.py what is legal when; commands.py and grammar.py the arguments; content.py the
             message; intake.py the buffer; offer.py what another server offers; settings.py the
             parameters both ends know
RULES        no asyncio, no clock, no DNS, no log; whatever a peer sends gives events, a reply or
             PeerError, in bounded memory, and the same however its bytes are cut
"""
