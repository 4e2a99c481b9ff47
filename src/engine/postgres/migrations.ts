/**
 * The numbered migrations of the database: what `schema.ts` applies. Never change one once it is released: add the next
 * number instead.
 *
 * Two versions may serve one database while machines are upgraded one after the other. For each migration, `oldest` is
 * the oldest schema whose programs may still use the database. A migration that only adds (a table, an index, a column
 * with a default) keeps the `oldest` of the migration before. A migration that changes or drops what an older program
 * reads sets `oldest` to its own number, and older programs are refused from then on.
 */
import { IS_PASSING_KEY } from "../rules/enqueue.ts";

interface Migration {
  readonly oldest: number;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    oldest: 1,
    sql: `
  CREATE TABLE threads (
    id text PRIMARY KEY,
    principal text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    -- 0 when its newest run is delegated or ephemeral: then it is in no list.
    last_run bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 80);
  CREATE INDEX threads_by_update ON threads (updated_at, id);
  CREATE INDEX threads_by_last_run ON threads (last_run) WHERE last_run > 0;
  CREATE INDEX threads_by_principal ON threads (principal, last_run) WHERE last_run > 0;

  -- JSON is text, as U+0000 may be in it, and flags are 0 or 1: rows are those of the other driver.
  -- Each append writes last_seq and lease_until. Neither is in an index, and pages have room, so that the row is
  -- replaced within its page (HOT) and no index is touched.
  CREATE TABLE runs (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    thread_id text NOT NULL,
    agent_id text NOT NULL,
    parent_id text,
    retry_of text,
    title text NOT NULL,
    status text NOT NULL,
    -- 1 while it is the first of its thread that is not over: only such a run may be claimed.
    head smallint NOT NULL,
    created_at bigint NOT NULL,
    -- The same moment by the database's clock: see clock.ts.
    created_clock bigint NOT NULL,
    started_at bigint,
    finished_at bigint,
    owner text,
    fence integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    claimed_at bigint,
    spent_ms bigint NOT NULL DEFAULT 0,
    lease_ms integer,
    lease_until bigint,
    last_seq integer NOT NULL DEFAULT 0,
    crashes integer NOT NULL DEFAULT 0,
    losses integer NOT NULL DEFAULT 0,
    cancel_requested smallint NOT NULL DEFAULT 0,
    steps integer NOT NULL DEFAULT 0,
    usage text,
    dollars double precision NOT NULL DEFAULT 0,
    delegated_tokens bigint NOT NULL DEFAULT 0,
    delegated_dollars double precision NOT NULL DEFAULT 0,
    reserved_tokens bigint NOT NULL DEFAULT 0,
    reserved_dollars double precision NOT NULL DEFAULT 0,
    reply text,
    finish_reason text,
    output text,
    error text,
    timeout_ms bigint,
    metadata text NOT NULL,
    asked text,
    principal text NOT NULL,
    idempotency_key text,
    fingerprint text NOT NULL,
    ephemeral smallint NOT NULL DEFAULT 0,
    -- 1 when its deltas were joined.
    joined smallint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 60);
  CREATE UNIQUE INDEX runs_idempotency ON runs (principal, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE UNIQUE INDEX runs_retry_of ON runs (retry_of) WHERE retry_of IS NOT NULL;
  CREATE INDEX runs_under_way ON runs (thread_id, n) WHERE status IN ('queued', 'running');
  CREATE INDEX runs_queued ON runs (principal) WHERE status = 'queued';
  CREATE INDEX runs_claimable ON runs (n) WHERE status = 'queued' AND head = 1 AND parent_id IS NULL;
  CREATE INDEX runs_delegated ON runs (n) WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL;
  CREATE INDEX runs_running ON runs (owner) WHERE status = 'running';
  CREATE INDEX runs_by_thread ON runs (thread_id, n);
  CREATE INDEX runs_by_agent ON runs (agent_id, n);
  CREATE INDEX runs_by_status ON runs (status, n);
  CREATE INDEX runs_by_principal ON runs (principal, n);
  CREATE INDEX runs_by_parent ON runs (parent_id, n) WHERE parent_id IS NOT NULL;
  CREATE INDEX runs_unjoined ON runs (finished_at) WHERE joined = 0 AND finished_at IS NOT NULL;
  CREATE INDEX runs_keyed ON runs (finished_at) WHERE ${IS_PASSING_KEY} AND finished_at IS NOT NULL;
  CREATE INDEX runs_ephemeral ON runs (finished_at) WHERE ephemeral = 1;

  CREATE TABLE events (
    run_n bigint NOT NULL,
    seq integer NOT NULL,
    type text NOT NULL,
    data text NOT NULL,
    joined text,
    PRIMARY KEY (run_n, seq)
  );

  CREATE TABLE messages (
    run_n bigint NOT NULL,
    idx integer NOT NULL,
    thread_id text NOT NULL,
    role text NOT NULL,
    content text NOT NULL,
    about text,
    at bigint NOT NULL,
    PRIMARY KEY (run_n, idx)
  );
  CREATE INDEX messages_by_thread ON messages (thread_id, run_n, idx);

  CREATE TABLE tool_calls (
    run_n bigint NOT NULL,
    step integer NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    effects text NOT NULL,
    fence integer,
    result text,
    PRIMARY KEY (run_n, step, id)
  );

  CREATE TABLE activities (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    type text NOT NULL,
    agent_id text,
    thread_id text,
    run_id text,
    principal text,
    detail text NOT NULL
  );
  CREATE INDEX activities_by_agent ON activities (agent_id, seq);
  CREATE INDEX activities_by_thread ON activities (thread_id, seq);
  CREATE INDEX activities_by_run ON activities (run_id, seq);
  CREATE INDEX activities_by_type ON activities (type, seq);
  CREATE INDEX activities_by_principal ON activities (principal, seq) WHERE principal IS NOT NULL;

  -- Deleted runs whose rows are to go.
  CREATE TABLE removals (run_n bigint PRIMARY KEY);

  CREATE TABLE shared (name text PRIMARY KEY, text text NOT NULL, version integer NOT NULL);

  CREATE TABLE files (
    id text PRIMARY KEY,
    principal text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    created_at bigint NOT NULL
  );
  CREATE UNIQUE INDEX files_by_principal ON files (principal, sha256);
  CREATE INDEX files_by_content ON files (sha256);
  -- Once by content, whoever it is of. Stored without compression: pictures and documents are compressed already.
  CREATE TABLE file_contents (sha256 text PRIMARY KEY, content bytea NOT NULL);
  ALTER TABLE file_contents ALTER COLUMN content SET STORAGE EXTERNAL;

  CREATE TABLE spending (
    day text NOT NULL,
    agent_id text NOT NULL,
    principal text NOT NULL,
    model text NOT NULL,
    calls bigint NOT NULL,
    input bigint NOT NULL,
    output bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write bigint NOT NULL,
    dollars double precision NOT NULL,
    PRIMARY KEY (day, agent_id, principal, model)
  ) WITH (fillfactor = 60);

  -- See clock.ts.
  CREATE TABLE lease_clock (ms bigint NOT NULL, ticked_at timestamptz NOT NULL) WITH (fillfactor = 10);
  INSERT INTO lease_clock VALUES (0, clock_timestamp());
  CREATE TABLE machines (id text PRIMARY KEY, boot text NOT NULL, seen bigint NOT NULL) WITH (fillfactor = 10);
  `,
  },
  // Runs are claimed in rounds over their principals. A sequence holds the round of the newest claim, because a
  // sequence makes no transaction wait.
  {
    oldest: 1,
    sql: `
  ALTER TABLE runs ADD COLUMN round bigint NOT NULL DEFAULT 0;
  CREATE SEQUENCE claimed_round MINVALUE 0 START 0;
  DROP INDEX runs_claimable;
  CREATE INDEX runs_claimable ON runs (round, n) WHERE status = 'queued' AND head = 1 AND parent_id IS NULL;
  DROP INDEX runs_queued;
  CREATE INDEX runs_queued ON runs (principal, round) WHERE status = 'queued';
  `,
  },
  {
    // Runs that another run replaced.
    oldest: 1,
    sql: "ALTER TABLE runs ADD COLUMN superseded smallint NOT NULL DEFAULT 0",
  },
  {
    // Runs that end when they have waited in the queue for too long.
    oldest: 1,
    sql: `
  ALTER TABLE runs ADD COLUMN queue_ms bigint;
  CREATE INDEX runs_timed ON runs (n) WHERE status = 'queued' AND queue_ms IS NOT NULL;
  `,
  },
  {
    // Files are listed in the order in which they were stored; the index alone tells how many bytes a principal has.
    oldest: 1,
    sql: `
  ALTER TABLE files ADD COLUMN n bigint GENERATED BY DEFAULT AS IDENTITY;
  UPDATE files SET n = ranked.n FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS n FROM files) AS ranked
    WHERE ranked.id = files.id;
  CREATE INDEX files_in_order ON files (principal, n) INCLUDE (bytes);
  `,
  },
  {
    // How many steps owners have committed: after a lost answer it says whether the step is stored.
    oldest: 1,
    sql: "ALTER TABLE runs ADD COLUMN writes integer NOT NULL DEFAULT 0",
  },
  {
    // See reports.ts. A report is replaced every two seconds: MAIN keeps it in its row, compressed, where a later write
    // clears away the older versions without waiting for a vacuum.
    oldest: 1,
    sql: `
  CREATE UNLOGGED TABLE machine_reports (machine text PRIMARY KEY, report text NOT NULL, at bigint NOT NULL);
  ALTER TABLE machine_reports ALTER COLUMN report SET STORAGE MAIN;
  `,
  },
  {
    // What a parked run waits for.
    oldest: 1,
    sql: "ALTER TABLE runs ADD COLUMN waiting text",
  },
  {
    // Which runs use which files (rules/file-uses.ts). Triggers write it, so that programs of an older version write it,
    // too; for a file that these save, idle_since has a default. A file that is there already counts as saved now.
    // Retention reads what runs below from_run use before it removes a file, because here nobody could write meanwhile.
    // The triggers come before from_run is read: making them waits for transactions that have written messages.
    oldest: 1,
    sql: `
  ALTER TABLE files ADD COLUMN idle_since bigint DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  CREATE INDEX files_idle ON files (idle_since) WHERE idle_since IS NOT NULL;
  CREATE TABLE file_uses (file_id text NOT NULL, run_n bigint NOT NULL, PRIMARY KEY (file_id, run_n));
  CREATE INDEX file_uses_by_run ON file_uses (run_n);
  -- The search path is fixed, because "pg_restore --data-only" fires triggers with an empty one.
  CREATE FUNCTION insert_file_uses() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE stored text; BEGIN
    IF TG_TABLE_NAME = 'messages' THEN stored := NEW.content; ELSE stored := NEW.result; END IF; INSERT
    INTO file_uses SELECT DISTINCT named[1], NEW.run_n FROM regexp_matches(stored, '"file_id":"([^"]+)"', 'g') AS named
    ON CONFLICT DO NOTHING; RETURN NULL; END $$;
  -- A message of text alone is a JSON string and is not searched.
  CREATE TRIGGER file_uses_of_message AFTER INSERT ON messages FOR EACH ROW
    WHEN (left(NEW.content, 1) = '[' AND strpos(NEW.content, '"file_id":"') > 0) EXECUTE FUNCTION insert_file_uses();
  CREATE TRIGGER file_uses_of_call AFTER INSERT OR UPDATE OF result ON tool_calls FOR EACH ROW
    WHEN (strpos(NEW.result, '"file_id":"') > 0) EXECUTE FUNCTION insert_file_uses();
  CREATE TABLE file_uses_known (from_run bigint NOT NULL);
  INSERT INTO file_uses_known
    SELECT CASE WHEN EXISTS (SELECT 1 FROM files) THEN (SELECT coalesce(max(n), 0) + 1 FROM runs) ELSE 0 END;
  `,
  },
];
