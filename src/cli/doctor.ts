/**
 * `evenkeel doctor`: looks at what most often is wrong, one line each, and says what to do. Ends with 1 when something
 * is. Without a URL it looks at this machine, with one at the way to a server.
 */
import { lookAtMachine } from "./doctor-machine.ts";
import { lookAtWay } from "./doctor-way.ts";

export async function doctor({ server, key }: { readonly server?: string; readonly key?: string }): Promise<void> {
  const looks = server === undefined ? lookAtMachine() : lookAtWay(server, key);
  for (const [name, look] of Object.entries(looks)) {
    try {
      process.stdout.write(`ok   ${name}: ${await look()}\n`);
    } catch (error) {
      process.stdout.write(`BAD  ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}
