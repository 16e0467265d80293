"""submission - mail that programs on this machine hand in: sendmail(1), and the way to the engine.

READING ORDER   options (the command line) -> message (what is on standard input) -> drop (the
                directory where it waits) -> session (sendmail -bs) -> sendmail (the command);
                runtime/pickup reads the drop
RULE            nothing here runs with more rights than its caller has
"""
