/** Bounds that the server enforces and clients keep to. Both sides read them here, so that they cannot disagree. */

/** Rows of one page of a list: the default, and the most that a client may ask for. */
export const DEFAULT_PAGE_ROWS = 50;
export const MAX_PAGE_ROWS = 500;

/** A page of messages, events, runs or activities ends with the row that reaches this much JSON. One row may be larger. */
export const PAGE_CHARACTERS = 1024 * 1024;
/** In lists, a run's reply is cut to this length. */
export const LISTED_REPLY_CHARACTERS = 500;

/** The body of a request, and one frame of a client on `/ws`. */
export const MAX_BODY_BYTES = 1024 * 1024;
export const MAX_FRAME_BYTES = 1024 * 1024;

/** Open subscriptions of one socket. */
export const MAX_SUBSCRIPTIONS = 256;
/** The id that a client gives a request on `/ws`. */
export const MAX_FRAME_ID_CHARACTERS = 64;

/** The title of a run or thread: the beginning of its first message. */
export const TITLE_CHARACTERS = 80;

export const MAX_METADATA_CHARACTERS = 16 * 1024;
export const MAX_NOTICE_CHARACTERS = 16 * 1024;
export const MAX_NOTICE_ROLE_CHARACTERS = 64;
/** The largest `timeout_ms` of a run: a day. */
export const MAX_TIMEOUT_MS = 24 * 3600 * 1000;

/** Workers, or agents, of one server. */
export const MAX_PROCESSES = 256;

/** Other machines that one machine shows: those that were heard of last. */
export const MAX_REPORTING_MACHINES = 50;
/** A machine that fell silent is shown for this long. */
export const REPORT_KEPT_MS = 5 * 60 * 1000;

/** One file of a user, and all files of one principal. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;
export const MAX_FILES_BYTES = 1024 * 1024 * 1024;
export const MAX_FILE_NAME_CHARACTERS = 200;
/** One picture that a model reads: it takes 5 MiB in base64, and the Messages API refuses a larger one. */
export const MAX_PICTURE_BYTES = (5 * 1024 * 1024 * 3) / 4;
/** Texts, pictures and documents of one message. */
export const MAX_MESSAGE_PARTS = 100;

/** Limit for each of `extra_context` and `instructions` of a chat, and for the schema of `response_format`. */
export const MAX_ASKED_CHARACTERS = 256 * 1024;
export const MAX_SCHEMA_CHARACTERS = 32 * 1024;

/** How long the past of the processes is shown: snapshots and marks. */
export const HISTORY_MS = 5 * 60_000;
/**
 * Bounds of the snapshots that the primary and each worker keep. With many processes a snapshot is large: then there are
 * fewer, further apart, over the same time. In the memory of a worker they take up to twice the characters, because a
 * snapshot also keeps its bytes once it was sent to a page.
 */
export const HISTORY_BOUNDS = { entries: 360, characters: 4 * 1024 * 1024 } as const;
/** How many of its newest marks a machine shows, and how many of other machines' it shows beside them. */
export const MAX_MARKS = 64;
/** How many of its newest marks a machine reports to the others. */
export const MAX_REPORTED_MARKS = 16;
