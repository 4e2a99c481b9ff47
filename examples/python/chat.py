"""python3 examples/python/chat.py "Hello": streams an answer with the standard library alone.

EVENKEEL says where the server is. The request has a run id of its own, so it can be repeated, and the stream goes on
after the last event when a connection breaks.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

BASE = os.environ.get("EVENKEEL", "http://localhost:8000")


def stream(agent_id, message, patience_s=60):
    """Yields every event of the run once, in order, over broken connections."""
    run_id = f"run_{uuid.uuid4()}"
    body = json.dumps({"agent_id": agent_id, "message": message, "run_id": run_id}).encode()
    begin = urllib.request.Request(f"{BASE}/api/chat/async", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(begin, timeout=patience_s).close()
    seq, heard_at = 0, time.monotonic()
    while True:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(seq)}
        request = urllib.request.Request(f"{BASE}/api/runs/{run_id}/events", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=patience_s) as response:
                for line in response:
                    if not line.startswith(b"data: "):
                        continue
                    event = json.loads(line[6:])
                    seq, heard_at = event["seq"], time.monotonic()
                    yield event
                    if event["type"] in ("RUN_FINISHED", "RUN_ERROR"):
                        return
        except (OSError, json.JSONDecodeError) as error:
            if time.monotonic() - heard_at > patience_s:
                raise TimeoutError(f"run {run_id} cannot be followed") from error
            time.sleep(0.2)


if __name__ == "__main__":
    for said in stream("assistant", sys.argv[1] if len(sys.argv) > 1 else "Hello"):
        if said["type"] == "TEXT_MESSAGE_CONTENT":
            print(said["delta"], end="", flush=True)
        if said["type"] == "RUN_ERROR":
            sys.exit(said["message"])
    print()
