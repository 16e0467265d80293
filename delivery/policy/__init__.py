"""policy - facts about a session and its message become a verdict (SMTPD_ACCESS_README)."""
