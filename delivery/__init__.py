"""delivery - the engine: receives, decides, queues and delivers mail with Postfix semantics.

SUMMARY      reads generations (tables.reading) and moves mail, without Django, Postgres or Celery
ROOMS        smtp/ protocol without I/O; policy/ facts -> verdict; routing/ recipient -> routes;
             content/ headers and checks; spool/ the queue on disk; agents/ the last step of each
             transport; courier/ writes as other users; runtime/ sockets, clocks and wiring
RULES        250 means on disk; a message leaves the spool once its delivery is durable
SOURCE       RFC 5321 4.2.5, 6.1
"""

__version__ = "0.1.0"
