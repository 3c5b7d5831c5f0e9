// What happens, as it happens, over one connection for all pages of this browser that are in view.
// Browsers open six to one site at most, so a page out of view has none, but for one that notifies.
// Without locks, which browsers give to https and to this machine alone, every page in view has its own.

import { loggedOut } from "./page.js";

const SHARED = "facestream.events";
const UNSEEN = "facestream.unseen";
const TYPES = ["person_enter", "person_exit", "unknown_enter", "unknown_exit"];
const WAIT_S = { least: 2, first: 3, most: 30 };
// The viewer says something every 15 s; a connection that is silent for longer is dead.
const SILENT_MS = 40000;
// What the viewer says when it has not heard the identifier for a while, and hears it again.
const AGAIN = "again";
const TOGETHER_MS = 300;

const listeners = new Set();
let place = "";
let leave = null;
let refreshing = 0;

/**
 * Calls `tell` with every event (`person_enter`, …) from now on while the page is in view.
 *
 * @param refresh called when events may have been missed: ask for what is there now
 * @param unseen whether events are wanted while the page is out of view; one page at a time gets them
 */
export function events(tell, { refresh = () => {}, unseen = () => false } = {}) {
  listeners.add({ tell, refresh, unseen });
  settle();
}

// ---- where this page listens

function wanted(frozen) {
  if (frozen || !listeners.size) return "";
  if (!document.hidden) return SHARED;
  return [...listeners].some((each) => each.unseen()) ? UNSEEN : "";
}

function settle(frozen = false) {
  const next = wanted(frozen);
  if (next === place) return;
  place = next;
  leave?.abort();
  leave = new AbortController();
  if (place === SHARED) {
    share(leave.signal);
    refreshSoon();
  }
  if (place === UNSEEN) listen(leave.signal);
}

function share(signal) {
  const others = new BroadcastChannel(SHARED);
  others.onmessage = ({ data }) => hear(data);
  signal.addEventListener("abort", () => others.close());
  alone(SHARED, signal, () => read((said) => {
    hear(said);
    others.postMessage(said);
  }, signal));
}

function listen(signal) {
  alone(UNSEEN, signal, () => read(hear, signal));
}

/** Runs work in one page of this browser at a time, until `signal` says that the next may. */
async function alone(name, signal, work) {
  if (!navigator.locks) return work();
  const ended = new Promise((resolve) => { signal.addEventListener("abort", resolve); });
  try {
    // The lock is free at once: in a frozen page the rest of the work ends only when it thaws.
    await navigator.locks.request(name, { signal }, () => Promise.race([work(), ended]));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function hear({ event }) {
  if (!event) return refreshSoon();
  for (const each of listeners) {
    // Apart from the reading: a listener's fault is no fault of the connection.
    if (place === SHARED || each.unseen()) queueMicrotask(() => each.tell(event));
  }
}

// Once for a page that comes into view and its connection, which opens a moment later.
function refreshSoon() {
  clearTimeout(refreshing);
  refreshing = setTimeout(refresh, TOGETHER_MS);
}

function refresh() {
  if (place === SHARED) for (const each of listeners) queueMicrotask(each.refresh);
}

document.addEventListener("visibilitychange", () => settle());
document.addEventListener("freeze", () => settle(true));
document.addEventListener("resume", () => settle());

// ---- the connection

/** Says `{ event }`, which is null when some may have been missed; an EventSource gives up at a 502. */
async function read(say, signal) {
  let failures = 0;
  while (!signal.aborted) {
    let asked_s = 0;
    try {
      await follow((event) => {
        failures = 0;
        say({ event });
      }, signal);
    } catch (error) {
      if (error.status === 401) return loggedOut();
      asked_s = error.retry_s ?? 0;
    }
    await pause(Math.max(wait_s(failures), Math.min(asked_s, WAIT_S.most)) * 1000, signal);
    failures += 1;
  }
}

/** Longer from time to time, and not in step with all the others that lost the same viewer. */
function wait_s(failures) {
  const longest = Math.min(WAIT_S.most, WAIT_S.first * 2 ** failures);
  return WAIT_S.least + Math.random() * (longest - WAIT_S.least);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

async function follow(tell, signal) {
  const attempt = new AbortController();
  const end = () => attempt.abort();
  let silent = setTimeout(end, SILENT_MS);
  signal.addEventListener("abort", end);
  try {
    const response = await fetch("/events", { headers: { Accept: "text/event-stream" }, signal: attempt.signal });
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      const retry_s = Number(response.headers.get("Retry-After")) || 0;
      throw Object.assign(new Error(`answer ${response.status}`), { status: response.status, retry_s });
    }
    tell(null);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let pending = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silent);
      silent = setTimeout(end, SILENT_MS);
      const blocks = (pending + value).split("\n\n");
      pending = blocks.pop();
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        const event = data && JSON.parse(data.slice(6));
        if (event?.type === AGAIN) tell(null);
        else if (event && TYPES.includes(event.type)) tell(event);
      }
    }
  } finally {
    clearTimeout(silent);
    signal.removeEventListener("abort", end);
    end();
  }
}
