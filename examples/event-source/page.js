/**
 * A page without any library: POST begins a run, EventSource watches it. The browser reconnects by itself and sends
 * `Last-Event-ID`, so nothing is lost when a connection breaks or a worker dies.
 */
const answer = /** @type {HTMLElement} */ (document.querySelector("#answer"));
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
/** @type {EventSource | undefined} */
let watched;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  watched?.close();
  answer.textContent = "";
  const { value: message } = /** @type {HTMLInputElement} */ (form.elements.namedItem("message"));
  begin(message).then(watch, (error) => (answer.textContent = String(error)));
});

/** @param {string} message */
async function begin(message) {
  const response = await fetch("/api/chat/async", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    // An id of our own: if this request is sent again, it does not begin a second run.
    body: JSON.stringify({ agent_id: "assistant", message, run_id: `run_${crypto.randomUUID()}` }),
  });
  const { run_id: runId, detail } = await response.json();
  if (!response.ok) throw new Error(detail);
  return runId;
}

/** @param {string} runId */
function watch(runId) {
  // Somebody may have sent the next message before this run had begun.
  watched?.close();
  const source = (watched = new EventSource(`/api/runs/${runId}/events`));
  source.addEventListener("message", ({ data }) => {
    const said = JSON.parse(data);
    if (said.type === "TEXT_MESSAGE_CONTENT") answer.textContent += said.delta;
    // The model makes a broken answer again, so the text shown so far does not count.
    if (said.type === "CUSTOM" && said.name === "evenkeel.attempt") answer.textContent = "";
    if (said.type === "RUN_ERROR") answer.textContent += said.message;
    if (said.type === "RUN_FINISHED" || said.type === "RUN_ERROR") source.close();
  });
}
