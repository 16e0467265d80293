"""importer - a Postfix configuration directory becomes rows.

SUMMARY      import_directory(Path("/etc/postfix"), replace=..., old_defaults=...) -> ImportReport
STEPS        tree.py       the directory: which file a path of the configuration means
             history.py    names and defaults of other times, said in today's words
             references.py type:/path inside of values becomes type:name, each source a table
             sources.py    the tables that are named, and what each of them is for
             settings.py   main.cf and master.cf, line by line, as they are going to stand
             lists.py      which restriction lists become rows of their own
             entries.py    the sources of tables, streamed into rows
             writing.py    all rows
             report.py     what was understood, approximated, left out
RULES        the caller gives the transaction: nothing is left behind by an import that fails.
             Where Postfix would go on (a bad line of a table), the import goes on as Postfix does
             and says so; what Postfix would refuse is kept as it is and a publish refuses it.
             A source that is not there becomes the table fail:name: its look-ups fail, as Postfix's
             would, and mail waits.
ERRORS       ImportProblem: no main.cf there; OSError
SOURCE       docs/IMPORT.md; main.cf(5), master.cf(5), postmap(1), postalias(1)
"""

from panel.services.importer.run import import_directory
from panel.services.importer.tree import ImportProblem

__all__ = ["ImportProblem", "import_directory"]
