"""constants - numbers, each with its source or reason."""

from __future__ import annotations

# Publishing
SWEEP_EVERY_S = 15.0  # what a lost task costs at most; DESIGN 1
SETTLE_AFTER_S = 0.25  # a publish that comes so soon after another
SETTLE_QUIET_S = 0.1  # begins when nothing was changed for so long,
SETTLE_LIMIT_S = 0.5  # and at the latest after this
PUBLISH_ROUND_S = 60.0  # one task publishes no longer, then the next one goes on
DEFAULT_REASON = "edit"
GENERATIONS_KEPT = 20  # on disk, for rollback
PUBLISH_QUEUE = "publish"
DEFAULT_NODE = "local"  # this machine; its queue is node.local
PUBLISH_LOCK = 0x57617970  # "Wayp": the advisory lock of the one publisher
REBUILD_LOCK = 0x57617973  # one compile of everything at a time
REBUILD_EVERY_S = 24 * 3600.0  # everything is looked at once a day, however small the edits
NODE_LOCK = 0x57617971  # with a node's id: one activation at a time

# The journal
SHIP_EVERY_S = 5.0  # how late the panel sees what became of a message
JOURNAL_LOCK = 0x57617972  # with a node's id: one shipper at a time
JOURNAL_BATCH_BYTES = 4 * 1024 * 1024  # of one transaction
JOURNAL_ROUNDS = 10  # batches of one task
JOURNAL_KEPT_DAYS = 30

# The doorbell: how long a dead broker may hold up a form
DOORBELL_TIMEOUT_S = 0.4

# The engine's control socket
ENGINE_TIMEOUT_S = 3.0
ENGINE_REPLY_LIMIT = 4 * 1024 * 1024  # bytes

# Rows
DOMAIN_LENGTH = 255  # RFC 1035 2.3.4
ADDRESS_LENGTH = 320  # 64 + "@" + 255: RFC 5321 4.5.3.1
LOCAL_PART_LENGTH = 64  # RFC 5321 4.5.3.1.1
TABLE_NAME_LENGTH = 100
PARAMETER_NAME_LENGTH = 100
LOOKUP_KEY_BYTES = 1000  # fits a Postgres index entry
PATTERN_LENGTH = 8192
VALUE_LENGTH = 1024 * 1024
RESERVED_TABLE_PREFIX = "hosting-"  # the compiler's own tables; decision 0001

# Tokens
TOKEN_BYTES = 32
TOKEN_PREFIX_LENGTH = 8  # characters shown in lists
TOKEN_USE_NOTED_S = 60  # the time of last use is this rough
