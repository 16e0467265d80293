"""tools - the commands of an operator, with the options and exit statuses of Postfix's own.

FILES        arguments   option letters, as getopt(3) reads them, and how errors are told
             queue       the queue, from the engine that runs, or from the disk when none does
             postqueue   list the queue, try it again; mailq is postqueue -p
             postsuper   delete, hold, release, expire, requeue
             postcat     show a message
             newaliases  says that there is nothing to do
RULES        they ask the engine over its sockets: the control socket where that is allowed, else
             the public one, which lists and flushes for any user
SOURCE       postqueue(1), postsuper(1), postcat(1), mailq(1), newaliases(1)
"""
