"""PostgreSQL as this project uses it: Django's own backend, see ``base``, and what a connection is set up with."""

#: Our backend over Django's own.
ENGINE = "taskproject.postgresql"

#: A frozen process must not hold up the stream, or those that wait for its locks, without bound: PostgreSQL ends a
#: transaction that does nothing for this long, and a wait for a lock. Only waits behind an import come near.
#: Without JIT: it compiled a query of many parts, such as the inbox, for far longer than the query ran.
#: A prepared statement keeps one plan for all values: to plan a short one costs more than to run it.
SETTINGS = (
    "-c idle_in_transaction_session_timeout=60s -c lock_timeout=30s -c jit=off -c plan_cache_mode=force_generic_plan"
)

#: A host that vanished is noticed soon, not after TCP's own timeouts of minutes and hours: when connecting, while
#: waiting for an answer, and when sending. Seconds, and milliseconds for the last.
CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    # Nothing is prepared for having been sent often, since the ORM puts values into its texts; but what asks for it is.
    "prepare_threshold": 1_000_000,
}

#: How many prepared statements a connection keeps. Each verb has a few dozen.
PREPARED = 500
