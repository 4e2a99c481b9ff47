/**
 * The numbered migrations of the database file: what `schema.ts` applies. Never change one once it is released: add the
 * next number instead. The list grows with each change of the layout, and stays in one file to be read in order.
 */
import { IS_PASSING_KEY } from "../rules/enqueue.ts";

export const MIGRATIONS: readonly string[] = [
  // 1: the first layout
  `
  CREATE TABLE threads (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  );

  -- Rows stay small (the message is in messages) because claims and settles rewrite them.
  CREATE TABLE runs (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    thread_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    status TEXT NOT NULL,
    -- 1 while it is the first of its thread that is not over: only such a run may be claimed.
    head INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    owner TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    crashes INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    steps INTEGER NOT NULL DEFAULT 0,
    usage TEXT,
    reply TEXT,
    error TEXT,
    timeout_ms INTEGER,
    metadata TEXT NOT NULL,
    principal TEXT NOT NULL,
    idempotency_key TEXT,
    fingerprint TEXT NOT NULL
  );
  CREATE UNIQUE INDEX runs_idempotency ON runs (principal, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX runs_under_way ON runs (thread_id, n) WHERE status IN ('queued', 'running', 'waiting');
  CREATE INDEX runs_queued ON runs (n) WHERE status = 'queued';
  CREATE INDEX runs_claimable ON runs (n) WHERE status = 'queued' AND head = 1;
  CREATE INDEX runs_owned ON runs (owner, cancel_requested) WHERE status = 'running';
  CREATE INDEX runs_leased ON runs (lease_until) WHERE status = 'running';
  CREATE INDEX runs_by_thread ON runs (thread_id, n);
  CREATE INDEX runs_by_agent ON runs (agent_id, n);
  CREATE INDEX runs_by_status ON runs (status, n);

  -- AUTOINCREMENT: a position is never used again, even after a thread was deleted, so that readers
  -- who ask for what is above theirs miss nothing.
  CREATE TABLE events (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    run_n INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL
  );
  CREATE UNIQUE INDEX events_by_run ON events (run_n, seq);

  CREATE TABLE messages (
    run_n INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    thread_id TEXT NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_n, idx)
  ) WITHOUT ROWID;
  CREATE INDEX messages_by_thread ON messages (thread_id, run_n, idx);

  CREATE TABLE tool_calls (
    run_n INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    effects TEXT NOT NULL,
    result TEXT,
    PRIMARY KEY (run_n, id)
  ) WITHOUT ROWID;

  CREATE TABLE activities (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    agent_id TEXT,
    thread_id TEXT,
    run_id TEXT,
    detail TEXT NOT NULL
  );
  CREATE INDEX activities_by_agent ON activities (agent_id, seq);
  CREATE INDEX activities_by_thread ON activities (thread_id, seq);
  CREATE INDEX activities_by_run ON activities (run_id, seq);
  CREATE INDEX activities_by_type ON activities (type, seq);
  `,
  // 2: lists of runs and threads do not have to read messages; threads are ordered by their newest run
  `
  ALTER TABLE runs ADD COLUMN title TEXT NOT NULL DEFAULT '';
  UPDATE runs SET title = coalesce(
    (SELECT substr(m.content ->> '$', 1, 80) FROM messages m WHERE m.run_n = runs.n AND m.idx = 0), '');
  ALTER TABLE threads ADD COLUMN last_run INTEGER NOT NULL DEFAULT 0;
  UPDATE threads SET last_run = coalesce((SELECT max(r.n) FROM runs r WHERE r.thread_id = threads.id), 0);
  CREATE INDEX threads_by_last_run ON threads (last_run);
  `,
  // 3: runs that a run delegates; they are claimed first. From here on the last_run of a thread is 0 when its
  // newest run is delegated: such threads are not listed.
  `
  ALTER TABLE runs ADD COLUMN parent_id TEXT;
  CREATE INDEX runs_by_parent ON runs (parent_id, n) WHERE parent_id IS NOT NULL;
  CREATE INDEX runs_delegated ON runs (n) WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL;
  `,
  // 4: tool calls are also told apart by step, because some endpoints give calls of two answers the same id. Of the
  // calls stored before, only those of the newest answer can be asked for again.
  `
  CREATE TABLE tool_calls_by_step (
    run_n INTEGER NOT NULL,
    step INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    effects TEXT NOT NULL,
    result TEXT,
    PRIMARY KEY (run_n, step, id)
  ) WITHOUT ROWID;
  INSERT INTO tool_calls_by_step
    SELECT c.run_n, r.steps, c.id, c.name, c.effects, c.result FROM tool_calls c JOIN runs r ON r.n = c.run_n;
  DROP TABLE tool_calls;
  ALTER TABLE tool_calls_by_step RENAME TO tool_calls;
  `,
  // 5: why a run is suspected (`rules/blame.ts`), and under which fence a tool call runs that could end its process.
  `
  ALTER TABLE runs ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
  UPDATE runs SET crashes = 0;
  ALTER TABLE tool_calls ADD COLUMN fence INTEGER;
  `,
  // 6: runs whose thread is removed soon after its end
  `
  ALTER TABLE runs ADD COLUMN ephemeral INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX runs_ephemeral ON runs (finished_at) WHERE ephemeral = 1;
  `,
  // 7: why a run ended; what a message records beside its content (its model, where it was cut, a note).
  `
  ALTER TABLE runs ADD COLUMN finish_reason TEXT;
  UPDATE runs SET finish_reason = CASE
    WHEN status = 'completed' THEN 'stop'
    WHEN status = 'canceled' THEN 'canceled'
    WHEN error ->> 'code' = 'STEP_LIMIT' THEN 'step_limit'
    WHEN error ->> 'code' = 'RUN_TIMEOUT' THEN 'time_limit'
    ELSE 'error' END WHERE status IN ('completed', 'failed', 'canceled');
  ALTER TABLE messages ADD COLUMN about TEXT;
  `,
  // 8: attempts apart from the fence; no status "waiting"; which runs were deleted, for their followers. Owners are
  // named anew: runs that were owned before have no owner.
  `
  ALTER TABLE runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
  UPDATE runs SET attempts = fence;
  UPDATE runs SET status = 'running' WHERE status = 'waiting';
  UPDATE runs SET owner = 'local/before/' || owner WHERE owner IS NOT NULL;
  DROP INDEX runs_under_way;
  CREATE INDEX runs_under_way ON runs (thread_id, n) WHERE status IN ('queued', 'running');
  CREATE TABLE removals (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    run_n INTEGER NOT NULL,
    at INTEGER NOT NULL
  );
  `,
  // 9: who owns a thread and an activity: lists and the feed are read by owner
  `
  ALTER TABLE threads ADD COLUMN principal TEXT NOT NULL DEFAULT '';
  UPDATE threads SET principal = coalesce(
    (SELECT r.principal FROM runs r WHERE r.thread_id = threads.id ORDER BY r.n LIMIT 1), '');
  CREATE INDEX threads_by_principal ON threads (principal, last_run);
  ALTER TABLE activities ADD COLUMN principal TEXT;
  UPDATE activities SET principal = (SELECT r.principal FROM runs r WHERE r.id = activities.run_id)
    WHERE run_id IS NOT NULL;
  CREATE INDEX activities_by_principal ON activities (principal, seq) WHERE principal IS NOT NULL;
  CREATE INDEX runs_by_principal ON runs (principal, n);
  `,
  // 10: leases by a clock in the database, times by durations (`clock.ts`). Running runs have no lease yet, and are
  // handed back at the start.
  `
  CREATE TABLE lease_clock (ms INTEGER NOT NULL);
  INSERT INTO lease_clock VALUES (0);
  UPDATE runs SET lease_until = 0 WHERE lease_until IS NOT NULL;
  ALTER TABLE runs ADD COLUMN lease_ms INTEGER;
  ALTER TABLE runs ADD COLUMN created_mono INTEGER;
  ALTER TABLE runs ADD COLUMN claimed_mono INTEGER;
  ALTER TABLE runs ADD COLUMN spent_ms INTEGER NOT NULL DEFAULT 0;
  `,
  // 11: small texts that all processes share
  `
  CREATE TABLE shared (name TEXT PRIMARY KEY, text TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
  `,
  // 12: how many runs of one principal wait, counted at each enqueue
  "CREATE INDEX runs_queued_by_principal ON runs (principal) WHERE status = 'queued'",
  // 13: files of users; their bytes lie in the folder `files`, named by content
  `
  CREATE TABLE files (
    id TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX files_by_principal ON files (principal, sha256);
  CREATE INDEX files_by_content ON files (sha256);
  `,
  // 14: runs that continue a run that failed or was canceled
  `
  ALTER TABLE runs ADD COLUMN retry_of TEXT;
  CREATE UNIQUE INDEX runs_retry_of ON runs (retry_of) WHERE retry_of IS NOT NULL;
  `,
  // 15: spending by principal, agent and model; the total of a run and all runs below it; what a call has reserved
  `
  CREATE TABLE spending (
    day TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    model TEXT NOT NULL,
    calls INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    dollars REAL NOT NULL,
    PRIMARY KEY (day, agent_id, principal, model)
  ) WITHOUT ROWID;
  ALTER TABLE runs ADD COLUMN dollars REAL NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN delegated_tokens INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN delegated_dollars REAL NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN reserved_tokens INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN reserved_dollars REAL NOT NULL DEFAULT 0;
  `,
  // 16: what a request asked beyond its message, and its reply as JSON
  `
  ALTER TABLE runs ADD COLUMN asked TEXT;
  ALTER TABLE runs ADD COLUMN output TEXT;
  `,
  // 17: rows of deleted runs are deleted in batches
  `
  ALTER TABLE removals ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX removals_left ON removals (n) WHERE done = 0;
  `,
  // 18: indexes for retention; deltas that were joined (`rules/joined.ts`); deleted runs whose row is still there
  `
  ALTER TABLE events ADD COLUMN joined TEXT;
  ALTER TABLE runs ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX runs_unjoined ON runs (finished_at) WHERE joined = 0 AND finished_at IS NOT NULL;
  CREATE INDEX runs_keyed ON runs (finished_at) WHERE ${IS_PASSING_KEY} AND finished_at IS NOT NULL;
  CREATE INDEX threads_by_update ON threads (updated_at);
  ALTER TABLE removals ADD COLUMN hidden INTEGER NOT NULL DEFAULT 1;
  CREATE INDEX removals_unhidden ON removals (n) WHERE hidden = 0;
  `,
  // 19: turns that another run replaced
  "ALTER TABLE runs ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0",
  // 20: runs are claimed in rounds over their principals; the round of the newest claim
  `
  ALTER TABLE runs ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE claimed_round (round INTEGER NOT NULL);
  INSERT INTO claimed_round VALUES (0);
  DROP INDEX runs_claimable;
  CREATE INDEX runs_claimable ON runs (round, n) WHERE status = 'queued' AND head = 1;
  DROP INDEX runs_queued_by_principal;
  CREATE INDEX runs_queued_by_principal ON runs (principal, round) WHERE status = 'queued';
  `,
  // 21: runs that end when they have waited in the queue for too long
  `
  ALTER TABLE runs ADD COLUMN queue_ms INTEGER;
  CREATE INDEX runs_timed ON runs (n) WHERE status = 'queued' AND queue_ms IS NOT NULL;
  `,
  // 22: a principal's files are listed in the order in which they were stored; the index alone tells how many bytes
  // they have
  `
  ALTER TABLE files ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
  UPDATE files SET n = ranked.n FROM
    (SELECT id, row_number() OVER (PARTITION BY principal ORDER BY created_at, id) AS n FROM files) AS ranked
    WHERE ranked.id = files.id;
  CREATE INDEX files_in_order ON files (principal, n, bytes);
  `,
  // 23: what a parked run waits for
  "ALTER TABLE runs ADD COLUMN waiting TEXT",
  // 24: which runs use which files (`rules/file-uses.ts`). Programs of an older version may go on beside this one, and
  // record no uses: `from_run` and `idle_since` stay null until retention begins (`file-retention.ts`). They cannot have a
  // file that is new.
  `
  ALTER TABLE files ADD COLUMN idle_since INTEGER;
  CREATE INDEX files_idle ON files (idle_since) WHERE idle_since IS NOT NULL;
  CREATE TABLE file_uses (
    file_id TEXT NOT NULL,
    run_n INTEGER NOT NULL,
    PRIMARY KEY (file_id, run_n)
  ) WITHOUT ROWID;
  CREATE INDEX file_uses_by_run ON file_uses (run_n);
  CREATE TABLE file_uses_known (from_run INTEGER);
  INSERT INTO file_uses_known SELECT CASE WHEN user_version = 0 THEN 0 END FROM pragma_user_version;
  `,
  // 25: the boot of the machine in which runs were measured (`clock.ts`)
  "ALTER TABLE lease_clock ADD COLUMN boot TEXT",
];
