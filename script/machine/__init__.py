"""machine - everything between a fresh clone and a running Waypost, on one Linux machine.

SUMMARY      installation   the virtual environment, from the pinned lists, once
             environment    what the environment says; the only reader of it in script/
             postgres       the embedded database server: made, started, recognised, stopped
             broker         the embedded task broker
             programs       panel, worker, scheduler, engine as table entries
             supervisor     starts, watches, restarts and stops them
             guard          outlives the supervisor and leaves nothing behind
             checks         what script/test runs
RULES        standard library only: it works before anything is installed. Nothing imports it,
             and it imports neither panel, tables nor delivery: these are programs to it.
ERRORS       MachineError: one line that says what to do
NOT DONE     other systems than Linux; several machines (docs/systemd/ has the units for those)
"""
