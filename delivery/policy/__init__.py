"""policy - facts about a session and its message become a decision (SMTPD_ACCESS_README).

SUMMARY      checks.Checks, one per connection: async (Facts) -> Decision for each command
             checks.Policy, one per snapshot and service: the lists, compiled
FILES        facts: what may be known and asked; verdict: what may be answered
             lists: text -> steps; walk: one list; checks: which lists at which command
             registry: name -> function; access: the right-hand side of access tables
             general, client, helo, sender, recipient, etrn, mailbox: restrictions by what they
             look at; dnslist, server, backup, dns, names: those that ask the DNS or a name's form
             delegate: policy services
RULES        nothing here does I/O: DNS, services, probes and sleep come by Ask, tables by Tables,
             everything about addresses by Addresses; runtime/ supplies all three
SOURCE       SMTPD_ACCESS_README, SMTPD_POLICY_README, access(5), postconf(5)
"""
