"""oracles - the real programs and libraries that our tables are compared with, where installed."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
from pathlib import Path

import pytest

POSTMAP = shutil.which("postmap", path="/usr/sbin:/usr/bin:/sbin:/bin")
needs_postmap = pytest.mark.skipif(
    POSTMAP is None, reason="no postmap here; apt install postfix postfix-cdb postfix-pcre"
)


class Postmap:
    """A private Postfix configuration in `folder`, enough for the postmap command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = host.example\n")
        (folder / "master.cf").write_text("")

    def run(self, *arguments: str, keys: list[str] | None = None) -> tuple[str, str]:
        """Run postmap; return what it printed and what it complained about."""
        assert POSTMAP is not None
        done = subprocess.run(
            [POSTMAP, "-c", str(self.folder), *arguments],
            input=None if keys is None else "".join(f"{key}\n" for key in keys),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout, done.stderr

    def answers(self, table: str, keys: list[str]) -> tuple[dict[str, str], set[int]]:
        """Ask for all keys; return what was found and the lines it warned about."""
        out, complaints = self.run("-q", "-", table, keys=keys)
        pairs = (line.partition("\t")[::2] for line in out.splitlines())
        warned = {
            int(line.split(", line ")[1].split(":")[0])
            for line in complaints.splitlines()
            if ", line " in line
        }
        return dict(pairs), warned


class _Span(ctypes.Structure):
    _fields_ = [("start", ctypes.c_int), ("end", ctypes.c_int)]


class Regcomp:
    """regcomp(3) of the C library, if it is glibc on a 64 bit machine."""

    NSUB_OFFSET = 48  # of re_nsub in glibc's regex_t

    def __init__(self) -> None:
        self.library = ctypes.CDLL(None)

    @staticmethod
    def is_here() -> bool:
        return ctypes.sizeof(ctypes.c_void_p) == 8 and hasattr(
            ctypes.CDLL(None), "gnu_get_libc_version"
        )

    def answers(
        self, pattern: bytes, flags: int, texts: list[bytes]
    ) -> list[list[bytes] | None] | None:
        """Match and groups for each text, unset groups empty; None for a pattern it refuses."""
        compiled = ctypes.create_string_buffer(256)
        if self.library.regcomp(compiled, pattern, flags):
            return None
        groups = ctypes.c_size_t.from_buffer(compiled, self.NSUB_OFFSET).value
        found: list[list[bytes] | None] = []
        for text in texts:
            spans = (_Span * (groups + 1))()
            missed = self.library.regexec(compiled, text, groups + 1, spans, 0)
            captured = [text[s.start : s.end] if s.start >= 0 else b"" for s in spans]
            found.append(None if missed else captured)
        self.library.regfree(compiled)
        return found


class Pcre2:
    """libpcre2-8, the library that Postfix's pcre tables use."""

    OPTIONS = {
        "fold": 0x8,
        "multiline": 0x400,
        "dotall": 0x20,
        "extended": 0x80,
        "anchored": 0x80000000,
        "end_only": 0x10,
        "ungreedy": 0x40000,
    }

    def __init__(self) -> None:
        name = ctypes.util.find_library("pcre2-8")
        assert name is not None
        self.library = library = ctypes.CDLL(name)
        library.pcre2_compile_8.restype = ctypes.c_void_p
        library.pcre2_match_data_create_from_pattern_8.restype = ctypes.c_void_p
        library.pcre2_get_ovector_pointer_8.restype = ctypes.POINTER(ctypes.c_size_t)
        library.pcre2_get_ovector_count_8.restype = ctypes.c_uint32

    @staticmethod
    def is_here() -> bool:
        return ctypes.util.find_library("pcre2-8") is not None

    def answers(
        self, pattern: bytes, options: int, texts: list[bytes]
    ) -> list[list[bytes] | None] | None:
        """Match and groups for each text, unset groups empty; None for a pattern it refuses."""
        error, offset = ctypes.c_int(), ctypes.c_size_t()
        size = ctypes.c_size_t
        compiled = self.library.pcre2_compile_8(
            pattern,
            size(len(pattern)),
            ctypes.c_uint32(options),
            ctypes.byref(error),
            ctypes.byref(offset),
            None,
        )
        if not compiled:
            return None
        code = ctypes.c_void_p(compiled)
        data = ctypes.c_void_p(self.library.pcre2_match_data_create_from_pattern_8(code, None))
        found: list[list[bytes] | None] = []
        for text in texts:
            result = self.library.pcre2_match_8(
                code, text, size(len(text)), size(0), ctypes.c_uint32(0), data, None
            )
            found.append(None if result < 0 else self._groups(data, text))
        self.library.pcre2_match_data_free_8(data)
        self.library.pcre2_code_free_8(code)
        return found

    def _groups(self, data: ctypes.c_void_p, text: bytes) -> list[bytes]:
        count = self.library.pcre2_get_ovector_count_8(data)
        places = self.library.pcre2_get_ovector_pointer_8(data)
        unset = ctypes.c_size_t(-1).value
        pairs = [(places[2 * n], places[2 * n + 1]) for n in range(count)]
        return [text[a:b] if a != unset and a <= b else b"" for a, b in pairs]


needs_regcomp = pytest.mark.skipif(not Regcomp.is_here(), reason="not glibc on 64 bits")
needs_pcre2 = pytest.mark.skipif(
    not Pcre2.is_here(), reason="no libpcre2-8 here; apt install libpcre2-8-0"
)
