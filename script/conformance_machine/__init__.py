"""conformance_machine - runs recorded scenarios against Waypost, and compares.

A scenario is a configuration as an administrator writes it, the surroundings of a machine, and
cases: what is said to it, and what a real Postfix then did (FORMAT.md beside the recordings).

    runner.py      all of it: scenarios found, workers fed, verdicts printed
    suite.py       which scenarios there are; compare.py: are two observations the same?
    verdict.py     what became of the cases;  workers.py: worker processes, from outside
    worker.py      one process with a database of its own: imports and publishes (publishing.py),
                   then has the scenario run in a machine
    namespaces.py  a machine of its own: users, mounts, network, processes
    machine.py     inside of it: places, accounts, network, DNS, other servers, the engine, cases
    dialogue.py    the steps of a case;  engine.py: the engine, from outside
    harvest.py     what was delivered;   message.py: how it is described
    dnsserver.py  sink.py  milter.py  policyservice.py    who answers there
    lookups.py     directories of table look-ups

It knows the format and no scenario. The engine is started as anywhere else, is spoken to by SMTP,
its commands and its control socket, and is not told that it is looked at.
"""
