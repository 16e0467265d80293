"""routing - addresses are rewritten, expanded, classified and given a transport and next hop.

SUMMARY      router.Router, one per snapshot (and service with its own parameters): the door
FILES        rewrite: completing an address; canonical: canonical maps and masquerading;
             expand: virtual aliases; bcc: copies; mapping: one rewriting look-up
             classify: the address classes; resolve: class, transport, next hop
             recipient: who exists; keyring: the keys of tables, with this machine's settings
RULES        synchronous and without I/O of its own: tables are in memory or mapped
SOURCE       ADDRESS_CLASS_README, ADDRESS_REWRITING_README, Postfix trivial-rewrite(8), cleanup(8)
"""
