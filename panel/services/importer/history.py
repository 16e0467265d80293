"""history - names and defaults of other times, in today's words.

SUMMARY      modernized(settings) -> settings under today's names, and what was renamed
             is_of_2000(settings, services) -> was this written for the Postfix of the year 2000?
             OLD_DEFAULTS: what held in 2000 where nothing was set
             missing_defaults(...): what holds in Postfix where nothing is set, and not here
RULES        an old name counts only where the new one is not set; $old_name inside of values is
             renamed with it. Old words of restriction lists are read by tables.restrictions.
SOURCE       Postfix 3.7 src/global/mail_params.h, COMPATIBILITY_README; RELEASE_NOTES 1.1 to 3.7
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from tables.itemtext import split_items
from tables.mainfile import Setting
from tables.parameters import OLD_NAMES
from tables.specs import is_reference

# reject_maps_rbl reads it still
KEPT_NAMES = frozenset({"maps_rbl_domains"})

# Postfix 20000529; the release of today that understands all of it
OLD_DEFAULTS: Mapping[str, str] = {
    "compatibility_level": "3.6",
    "mydestination": "$myhostname, localhost.$mydomain",
    "mynetworks_style": "class",
    "relay_domains": "$mydestination",
    "smtpd_relay_restrictions": "",
    "smtpd_recipient_restrictions": "permit_mynetworks, check_relay_domains",
    "local_recipient_maps": "",
    "append_dot_mydomain": "yes",
}

# postconf(5), where the registry of tables/ has another default for a new installation
POSTFIX_DEFAULTS: Mapping[str, str] = {
    "compatibility_level": "0",
    "alias_maps": "hash:/etc/aliases",
    "local_recipient_maps": "unix:passwd.byname $alias_maps",
}

# what Waypost keeps to where nothing is set, although Postfix 3.7 does not: docs/SPECIFICATIONS.md
OWN_DEFAULTS: Mapping[str, str] = {"smtpd_forbid_bare_newline": "yes"}

_OLD_WORDS = frozenset({"check_relay_domains", "reject_maps_rbl", "check_recipient_maps"})


def modernized(settings: Mapping[str, Setting]) -> tuple[dict[str, Setting], dict[str, str]]:
    """(settings under today's names, old name -> new name)."""
    renamed = {
        old: new
        for old, new in OLD_NAMES.items()
        if old in settings and new not in settings and old not in KEPT_NAMES
    }
    found = {}
    for name, setting in settings.items():
        value = setting.value
        for old, new in renamed.items():
            value = re.sub(rf"\$([{{(]?){old}(?![A-Za-z0-9_])", rf"$\g<1>{new}", value)
        new_name = renamed.get(name, name)
        found[new_name] = replace(setting, name=new_name, value=value)
    return found, renamed


def is_of_2000(settings: Mapping[str, Setting]) -> bool:
    """True for words that only the Postfix of that time knew, and none of today's."""
    if "compatibility_level" in settings or "smtpd_relay_restrictions" in settings:
        return False
    if "restriction_classes" in settings:
        return True
    for name, setting in settings.items():
        if name.startswith("smtpd_") and name.endswith("_restrictions"):
            words = split_items(setting.value)
            if _OLD_WORDS.intersection(words) or _has_bare_table(words):
                return True
    return "virtual_maps" in settings and "virtual_alias_maps" not in settings


def _has_bare_table(words: tuple[str, ...]) -> bool:
    """True when a table stands where no restriction before it takes one."""
    before = ""
    for word in words:
        if is_reference(word) and not before.endswith("_access"):
            return True
        before = word
    return False
