/**
 * Node's `http`, without undici. An ES import of "node:http" reads every export, and one of them is a getter that loads
 * undici. [Importing it costs a process 82 ms of CPU at its start, this way costs 10 ms.]
 */
export const http = process.getBuiltinModule("node:http");
