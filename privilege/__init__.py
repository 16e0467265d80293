"""privilege - no network-facing program runs as root; what root starts becomes somebody else here.

SUMMARY      choose_account(home, wanted) -> Account | None; own(home, account)
             reach(account, paths) -> bool; become(account); keep_files_as(account)
             with files_of(home): for root's commands that write there
WHO          script/machine for all programs of script/serve; delivery for the engine, which keeps
             no right of root's but that to ports below 1024; manage.py commands that write maps
RULES        everything of one WAYPOST_HOME belongs to one account; an ordinary user stays itself.
             Standard library only: it works before anything is installed
SOURCE       capabilities(7), credentials(7), mount_namespaces(7); docs/decisions/0014
"""

from privilege.account import Account, PrivilegeError, choose_account, own
from privilege.change import become, files_of, keep_files_as
from privilege.view import reach

__all__ = [
    "Account",
    "PrivilegeError",
    "become",
    "choose_account",
    "files_of",
    "keep_files_as",
    "own",
    "reach",
]
