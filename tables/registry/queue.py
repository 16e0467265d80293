"""queue - how long mail waits, how often it is tried, how much of it at once."""

from __future__ import annotations

from tables.registry.base import Parameter, boolean, flags, integer, size, text, time

GROUP = "Queue"


PARAMETERS: tuple[Parameter, ...] = (
    time(
        "maximal_queue_lifetime",
        "5d",
        "How long a message is tried before it is returned to its sender.",
        unit="d",
    ),
    time(
        "bounce_queue_lifetime",
        "5d",
        "How long a bounce is tried before it is given up; 0 means one attempt.",
        unit="d",
    ),
    time(
        "minimal_backoff_time",
        "300s",
        "Shortest wait between two attempts to deliver a message.",
        minimum=1,
    ),
    time(
        "maximal_backoff_time",
        "4000s",
        "Longest wait between two attempts to deliver a message.",
        minimum=1,
    ),
    time("queue_run_delay", "300s", "How often waiting messages are looked through.", minimum=1),
    time(
        "transport_retry_time",
        "60s",
        "How long to leave a delivery agent alone that does not work.",
        minimum=1,
    ),
    time(
        "delay_warning_time",
        "0h",
        "Age at which the sender of a waiting message is told about it; 0 means never.",
        unit="h",
    ),
    boolean(
        "confirm_delay_cleared",
        "no",
        "Tell the sender when a message that was warned about has been delivered.",
    ),
    integer(
        "qmgr_message_active_limit",
        "20000",
        "Most messages that are tried at the same time.",
        minimum=1,
    ),
    integer(
        "qmgr_message_recipient_limit",
        "20000",
        "Most recipients that are kept in memory.",
        minimum=1,
    ),
    integer(
        "qmgr_message_recipient_minimum",
        "10",
        "Recipients of a message that are kept in memory at least.",
        minimum=1,
    ),
    time(
        "qmgr_clog_warn_time",
        "300s",
        "How often a queue that is clogged by one destination is warned about; 0 means never.",
    ),
    time(
        "in_flow_delay",
        "1s",
        "How long a client is slowed down that sends faster than mail leaves.",
    ),
    integer(
        "initial_destination_concurrency",
        "5",
        "Deliveries to one destination at the same time, to begin with.",
        minimum=1,
    ),
    integer(
        "default_destination_concurrency_limit",
        "20",
        "Most deliveries to one destination at the same time; 0 means no limit.",
    ),
    integer(
        "default_destination_recipient_limit",
        "50",
        "Most recipients in one delivery; 0 means no limit.",
    ),
    text(
        "default_destination_concurrency_positive_feedback",
        "1",
        "How much a good delivery raises the number of deliveries at the same time.",
    ),
    text(
        "default_destination_concurrency_negative_feedback",
        "1",
        "How much a failed connection lowers it.",
    ),
    integer(
        "default_destination_concurrency_failed_cohort_limit",
        "1",
        "Rounds of failures after which a destination is taken to be dead; 0 means never.",
    ),
    time(
        "default_destination_rate_delay",
        "0s",
        "Pause between two deliveries to the same destination.",
    ),
    time(
        "default_transport_rate_delay", "0s", "Pause between two deliveries by the same transport."
    ),
    integer("default_recipient_limit", "20000", "Most recipients of a transport in memory."),
    integer(
        "default_extra_recipient_limit",
        "1000",
        "Recipients in memory for large messages beside those of others.",
    ),
    integer(
        "default_recipient_refill_limit",
        "100",
        "Recipients read at once for a large message.",
        minimum=1,
    ),
    time(
        "default_recipient_refill_delay", "5s", "When recipients are read at the latest.", minimum=1
    ),
    integer(
        "default_delivery_slot_cost",
        "5",
        "How many deliveries earn a later message one delivery before its turn.",
    ),
    integer("default_delivery_slot_loan", "3", "Such deliveries a message may have in advance."),
    integer(
        "default_delivery_slot_discount",
        "50",
        "Percentage of them that is enough to go ahead.",
        maximum=100,
    ),
    integer(
        "default_minimum_delivery_slots",
        "3",
        "Messages with fewer recipients than this are not overtaken.",
    ),
    integer(
        "local_destination_concurrency_limit",
        "2",
        "Most deliveries to one local recipient at the same time.",
    ),
    integer("local_destination_recipient_limit", "1", "Most recipients in one local delivery."),
    integer("default_process_limit", "100", "Most processes of one service.", minimum=1),
    size("bounce_size_limit", "50000", "How much of a message is returned in a bounce."),
    text(
        "bounce_template_file",
        "",
        "File with the words of bounces, delay warnings and other reports; bounce(5).",
    ),
    boolean(
        "backwards_bounce_logfile_compatibility",
        "yes",
        "Keep Postfix's old form of bounce records; without effect here.",
    ),
    boolean("enable_threaded_bounces", "no", "Let bounces refer to the message they answer."),
    boolean(
        "disable_verp_bounces", "no", "Send one bounce per message, not per recipient, for VERP."
    ),
    text("default_delivery_status_filter", "", "Table that replaces the status of deliveries."),
    flags(
        "hash_queue_names",
        "deferred, defer",
        "Queues that Postfix spreads over subdirectories; without effect here.",
        ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "trace"),
    ),
    integer(
        "hash_queue_depth",
        "1",
        "Levels of these subdirectories; without effect here.",
        minimum=1,
        maximum=4,
    ),
    time(
        "fast_flush_purge_time",
        "7d",
        "How long a record of waiting mail of a domain is kept.",
        unit="d",
        minimum=1,
    ),
    time(
        "fast_flush_refresh_time", "12h", "How often such a record is renewed.", unit="h", minimum=1
    ),
)

# Each of these holds for one transport when the name of its service is put before it:
# slow_destination_rate_delay. The default is the parameter named beside it. postconf(5).
PER_TRANSPORT: dict[str, str] = {
    "_destination_concurrency_limit": "default_destination_concurrency_limit",
    "_destination_recipient_limit": "default_destination_recipient_limit",
    "_destination_rate_delay": "default_destination_rate_delay",
    "_transport_rate_delay": "default_transport_rate_delay",
    "_initial_destination_concurrency": "initial_destination_concurrency",
    "_destination_concurrency_positive_feedback": (
        "default_destination_concurrency_positive_feedback"
    ),
    "_destination_concurrency_negative_feedback": (
        "default_destination_concurrency_negative_feedback"
    ),
    "_destination_concurrency_failed_cohort_limit": (
        "default_destination_concurrency_failed_cohort_limit"
    ),
    "_extra_recipient_limit": "default_extra_recipient_limit",
    "_recipient_limit": "default_recipient_limit",
    "_recipient_refill_limit": "default_recipient_refill_limit",
    "_recipient_refill_delay": "default_recipient_refill_delay",
    "_delivery_slot_cost": "default_delivery_slot_cost",
    "_delivery_slot_loan": "default_delivery_slot_loan",
    "_delivery_slot_discount": "default_delivery_slot_discount",
    "_minimum_delivery_slots": "default_minimum_delivery_slots",
    "_time_limit": "command_time_limit",
}
