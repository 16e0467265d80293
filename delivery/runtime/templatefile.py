"""templatefile - the words of reports of one generation, and the site's own file with them.

SUMMARY      TemplateFile(parameters).templates() -> Templates, as the file is now
RULES        the file is read when a generation is made ready and, when it has changed, at the next
             report: no other mail waits for it. One that cannot be read leaves those before in use
             the engine reads it with the rights of its own account (decision 0014)
             whatever is wrong with it is logged each time that it is read, and mail goes on
ERRORS       none
SOURCE       postconf(5) bounce_template_file, bounce(5); delivery/templates.py
"""

from __future__ import annotations

import os
import stat

from delivery import log
from delivery.runtime.filestamp import Stamp, stamp
from delivery.templates import TEXT_LIMIT, Templates, built_in, read_templates
from tables.parameters import Parameters


class TemplateFile:
    """Of one generation; nothing is read before templates() is called."""

    def __init__(self, parameters: Parameters) -> None:
        self._name = parameters.text("bounce_template_file").strip()
        self._parameters = parameters
        self._templates = built_in(parameters)
        self._stamp: Stamp | bool = False  # of the file as it was read

    def templates(self) -> Templates:
        """The words for the next report."""
        if self._name and (found := stamp(self._name)) != self._stamp:
            self._stamp = found
            self._read()
        return self._templates

    def _read(self) -> None:
        try:
            self._templates, problems = read_templates(self._text(), self._parameters)
        except (OSError, ValueError) as error:  # ValueError: no name that a file could have
            problems = [str(error)]
        for problem in problems:
            log.event("bounce", problem=f"bounce_template_file: {problem}")

    def _text(self) -> str:
        """Raises OSError."""
        # not blocking: nobody may ever write into a FIFO
        with open(os.open(self._name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(f"{self._name} is no file")
            octets = file.read(TEXT_LIMIT + 1)
        if len(octets) > TEXT_LIMIT:
            raise OSError(f"{self._name} is longer than {TEXT_LIMIT} octets")
        return octets.decode("utf-8", "surrogateescape")
