"""registry - the parameters of postconf(5) that Waypost knows, one file per group.

SUMMARY      each file holds GROUP, its heading, and PARAMETERS, a tuple of Parameter
RULES        names, defaults and units are Postfix's; a default that differs keeps Postfix's in
             `postfix_default` and says in `why` what for; help is in our own words
SOURCE       postconf(5) of Postfix 3.7
"""
