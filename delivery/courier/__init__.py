"""courier - the small helper that delivers to files and commands, as the user whom they belong to.

SUMMARY      python -m delivery.courier --channel FD; delivery.agents.courier speaks to it
WHY APART    the engine faces the network and never runs as root. Started by root, the courier is
             what keeps root: it can become a user, and does nothing before it has. Started by an
             ordinary user it cannot, and everything is done as that user
LIFE         one process reads orders from a socket pair; each is carried out by a child of its own,
             which answers on a socket that came with the order, and ends. The courier ends when the
             channel closes; children stop their commands when nobody waits for the answer
ORDERS       wire.py: append to a file, put into a Maildir, run a command, read a .forward or an
             :include: file. There is no other; a field too much, too few or of another type is
             refused. Orders name users, never numbers: the courier looks them up itself, and
             refuses root, group 0 and whom it was told to (the engine's own account)
NOT HERE     SMTP, tables, addresses, policy: of the rest of the engine only durable.py is imported,
             which stands on Python's own library, as all of this does
SOURCE       docs/decisions/0020-a-courier-for-local-delivery.md; Postfix local(8), pipe(8)
"""
