/**
 * Node's `http`, without undici. An ES import of "node:http" reads every export, and one of them is a getter that loads
 * undici. [Imported it costs a process 82 ms of CPU at its start, this way 10.]
 */
export const http = process.getBuiltinModule("node:http");
