"""tables - the shared language of the panel and the engine.

SUMMARY      addresses, lookup tables, parameters and generations, with Postfix's words
FOR          panel (validates and writes generations), delivery (reads them)
RULES        no Django, no network, no environment; one parser for both sides
ROOMS        formats/ how a map is stored; writing/ rows -> generation; reading/ the way back
SOURCE       postconf(5), access(5), aliases(5), virtual(5), transport(5), postmap(1)
"""
