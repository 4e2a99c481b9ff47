/** Fills the activity feed, so that its first page is full, as on a server that has been in use. */
import { postJson } from "./servers.ts";

const NOTICES = 60;

export async function seedActivities(url: string): Promise<void> {
  const body = { role: "bench", content: "A notice of the length that people write into a feed." };
  const posts = Array.from({ length: NOTICES }, () => postJson(`${url}/api/activities`, body));
  await Promise.all(posts);
}
