"""The tables. Money is in cents, instants (`*_ms`) in ms since 1970, durations (`*_s`) in seconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite counts a key up by itself only if it is called INTEGER
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta", metadata, Column("key", String(32), primary_key=True), Column("value", Text, nullable=False)
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("available_cents", BigInteger, nullable=False),
    Column("held_cents", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("available_cents >= 0", name="accounts_available"),
    CheckConstraint("held_cents >= 0", name="accounts_held"),
)

# append-only: the balances of `accounts` can be worked out from it
journal = Table(
    "journal",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),  # opening, deposit, hold, release, payment, fee, bonus, …
    Column("cents", BigInteger, nullable=False),
    Column("hit_seq", BigInteger),
    Column("assignment_seq", BigInteger),
    CheckConstraint("cents >= 0", name="journal_cents"),
    Index("journal_account", "account_id", "kind", "cents"),
    Index("journal_hit", "hit_seq"),
)

hit_types = Table(
    "hit_types",
    metadata,
    Column("hit_type_id", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("group_id", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("keywords", Text),
    Column("reward_cents", BigInteger, nullable=False),
    Column("duration_s", BigInteger, nullable=False),
    Column("auto_approval_s", BigInteger, nullable=False),
    Column("requirements", Text, nullable=False),
    Column("guarded", Boolean, nullable=False),  # has requirements
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("account_id", "digest", name="hit_types_properties"),
    Index("hit_types_guarded", "guarded", "hit_type_id"),
)

hits = Table(
    "hits",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("hit_id", String(64), nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("hit_type_id", ForeignKey("hit_types.hit_type_id"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expiration_ms", BigInteger, nullable=False),
    Column("reward_cents", BigInteger, nullable=False),
    Column("fee_cents", BigInteger, nullable=False),
    Column("funded", Boolean, nullable=False),  # money is held for it: the account keeps a ledger
    Column("created_seats", BigInteger, nullable=False),
    Column("max_assignments", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("submitted", BigInteger, nullable=False),  # awaiting review
    Column("approved", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("expired", Boolean, nullable=False),
    Column("reviewing", Boolean, nullable=False),
    Column("reviewable_ms", BigInteger),
    Column("deleted_ms", BigInteger),
    Column("status", String(16), nullable=False),
    Column("due_ms", BigInteger),  # the next thing that time alone does to it
    Column("annotation", Text),
    CheckConstraint(
        "pending >= 0 and submitted >= 0 and approved >= 0 and rejected >= 0", name="hits_counts"
    ),
    CheckConstraint("pending + submitted + approved + rejected <= max_assignments", name="hits_seats"),
    Index("hits_open", "status", "seq"),
    Index("hits_of_account", "account_id", "status", "seq"),
    Index("hits_of_type", "hit_type_id", "status", "seq"),
    Index("hits_listed", "account_id", "seq"),
    Index("hits_due", "due_ms"),
)

# apart from `hits`, so that lists do not drag tens of kilobytes along per row
questions = Table(
    "questions",
    metadata,
    Column("hit_seq", ForeignKey("hits.seq"), primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", String(64), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("submitted", BigInteger, nullable=False),  # ever
    Column("approved", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("pending_cents", BigInteger, nullable=False),
    Column("paid_cents", BigInteger, nullable=False),
)

# apart from `workers`, so that databases made before it get it as well
session_epochs = Table(
    "session_epochs",
    metadata,
    Column("worker_id", String(64), primary_key=True),
    Column("epoch", BigInteger, nullable=False),  # raised at sign-out: sessions of lower ones are over
)

assignments = Table(
    "assignments",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("assignment_id", String(64), nullable=False, unique=True),
    Column("hit_seq", ForeignKey("hits.seq"), nullable=False),
    Column("worker_id", ForeignKey("workers.worker_id"), nullable=False),
    # the worker again while this one uses up the worker's single chance at the HIT, else null
    Column("live_worker_id", String(64)),
    Column("status", String(16), nullable=False),
    Column("accepted_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("submitted_ms", BigInteger),
    Column("auto_approval_ms", BigInteger),
    Column("approved_ms", BigInteger),
    Column("rejected_ms", BigInteger),
    Column("ended_ms", BigInteger),  # returned or abandoned
    Column("due_ms", BigInteger),  # the deadline, then the automatic approval
    Column("feedback", Text),
    Column("answer", Text),
    UniqueConstraint("hit_seq", "live_worker_id", name="assignments_once"),
    Index("assignments_submitted", "hit_seq", "submitted_ms", "seq"),
    Index("assignments_of_worker", "worker_id", "status", "seq"),
    Index("assignments_due", "due_ms"),
)

bonuses = Table(
    "bonuses",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("hit_seq", ForeignKey("hits.seq"), nullable=False),
    Column("assignment_seq", ForeignKey("assignments.seq"), nullable=False),
    Column("worker_id", ForeignKey("workers.worker_id"), nullable=False),
    Column("cents", BigInteger, nullable=False),
    Column("fee_cents", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("token", String(160)),  # the UniqueRequestToken; kept for good, unlike the one in `tokens`
    Column("at_ms", BigInteger, nullable=False),
    CheckConstraint("cents > 0 and fee_cents > 0", name="bonuses_cents"),
    Index("bonuses_of_assignment", "assignment_seq", "seq"),
    Index("bonuses_of_hit", "hit_seq", "seq"),
    Index("bonuses_of_worker", "worker_id", "seq"),
)

# from a requester to workers; the market has no other post
messages = Table(
    "messages",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

message_recipients = Table(
    "message_recipients",
    metadata,
    Column("worker_id", String(64), primary_key=True),
    Column("message_seq", ForeignKey("messages.seq"), primary_key=True),
    Column("read_ms", BigInteger),
    Index("message_recipients_unread", "worker_id", "read_ms"),
)

qualification_types = Table(
    "qualification_types",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("type_id", String(64), nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("live_name", String(200)),  # the name again until it is deleted, then null
    Column("keywords", Text),
    Column("description", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("retry_delay_s", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
    UniqueConstraint("account_id", "live_name", name="qualification_types_names"),
)

# workers by id alone: one may be given a qualification before the first sign-in
qualifications = Table(
    "qualifications",
    metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("type_id", ForeignKey("qualification_types.type_id"), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("granted_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    UniqueConstraint("type_id", "worker_id", name="qualifications_once"),
    Index("qualifications_of_worker", "worker_id", "type_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id"), primary_key=True),
    Column("operation", String(64), primary_key=True),
    Column("token", String(160), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    Index("tokens_age", "created_ms"),
)

api_calls = Table(
    "api_calls",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("operation", String(64), primary_key=True),
    Column("calls", BigInteger, nullable=False),
)
