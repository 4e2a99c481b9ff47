/** Entry of the page: asks whether a key is needed, then puts the application in the place of the skeleton. */
import { render } from "preact";
import { loadAgents } from "./store/agents.ts";
import { isSignedIn } from "./live/key.ts";
import { followOtherTabs, loadSession } from "./store/session.ts";
import { App } from "./app.tsx";
import { loadInfo } from "./store/info.ts";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no #app.");

await Promise.all([loadAgents(), loadInfo()]);
if (isSignedIn.value) void loadSession();
followOtherTabs();
// Remove the skeleton first. Preact would reuse parts of it and leave the others beside the key form.
root.replaceChildren();
render(<App />, root);
