"""patterns - regular expressions with Postfix's semantics and a bound on their cost.

SUMMARY      text of a pattern -> tree (posix.py, perl.py) -> Pattern (pattern.py), which runs on
             RE2 where RE2 means the same, and on a step-limited matcher (backtrack.py) where it
             does not
RULES        patterns and subjects are bytes, as in regcomp(3) and PCRE without UTF mode: that is
             how Postfix 3.7 calls them. Letter case is ASCII's.
ERRORS       PatternError for a pattern that the real library refuses (or that is not done here);
             StepLimit when a match would cost too much: the answer is then unknown, never "no"
SOURCE       regex(7), pcre2pattern(3), https://github.com/google/re2/wiki/Syntax
"""
