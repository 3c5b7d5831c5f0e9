// What every page needs: changes with their token, messages, dialogs, times.

import { t } from "./texts.js";

const GLIDE_MS = 250;

export const byId = (id) => document.getElementById(id);

/** Sets a text only where it changes, so that screen readers and selections are left alone. */
export function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** Whether the reader asked their system that nothing moves by itself. */
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Runs a change of the page; what it moved glides to its new place instead of jumping there.
 * `elements()` are those that may move.
 */
export function glide(elements, change) {
  if (isCalm()) return change();
  const before = new Map(elements().map((element) => [element, element.getBoundingClientRect()]));
  change();
  for (const element of elements()) {
    const [was, is] = [before.get(element), element.getBoundingClientRect()];
    if (!was || (was.top > innerHeight && is.top > innerHeight)) continue;
    const [x, y] = [was.left - is.left, was.top - is.top];
    if (!x && !y) continue;
    element.animate([{ transform: `translate(${x}px, ${y}px)` }, {}], { duration: GLIDE_MS, easing: "ease-out" });
  }
}

// ---- changes

/** The server refused; `detail` is one sentence for people. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || t("base.failed"));
    this.status = status;
    this.reason = document.reason || "";
    this.detail = this.message;
    this.document = document;
  }
}

const token = () => document.querySelector('meta[name="csrf-token"]').content;

/** Asks the viewer: `send("/people/sam", { method: "PATCH", json: {…} })`; answers the document. */
export async function send(address, { method = "POST", json, body, signal } = {}) {
  const headers = { Accept: "application/json", "X-CSRF-Token": token() };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address, {
      method, headers, signal, body: json === undefined ? body : JSON.stringify(json),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: t("base.lost"), reason: "lost" });
  }
  if (response.status === 401) throw new Problem(401, { detail: t("base.logged_out") });
  const text = await response.text();
  let document = {};
  try {
    document = text ? JSON.parse(text) : {};
  } catch (error) {
    if (response.ok) throw new Problem(response.status, {});
  }
  if (!response.ok) throw new Problem(response.status, document);
  return document;
}

// ---- messages

const TOAST_MS = 6000;

/** Shows a message for a few seconds; `kind` is "good" or "bad". */
export function toast(text, kind = "good") {
  const element = document.createElement("p");
  element.className = `toast ${kind}`;
  element.textContent = text;
  byId("toasts").append(element);
  setTimeout(() => element.remove(), kind === "bad" ? 2 * TOAST_MS : TOAST_MS);
}

/** Runs a change; a refusal becomes a message, and undefined. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.detail, "bad");
    return undefined;
  }
}

/** The line above the page; an empty text takes it away. */
export function notice(text) {
  const element = byId("notice");
  put(element, text);
  element.hidden = !text;
}

// ---- login

/** Whether somebody would lose what they type if this page were left. */
function isWriting() {
  const at = document.activeElement;
  return Boolean(document.querySelector("dialog[open]") || (at?.matches("input:not([type=checkbox]), textarea") && at.value));
}

/** The session is over: goes to the login, or says so with a way there while somebody writes. */
export function loggedOut() {
  const address = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`;
  if (!isWriting()) return location.assign(address);
  notice(t("base.logged_out"));
  const link = document.createElement("a");
  link.href = address;
  link.textContent = t("base.log_in");
  byId("notice").append(" ", link);
}

// ---- dialogs

/** Opens a <dialog>; resolves to the value of the button it was closed with, "" when dismissed. */
export function ask(id) {
  const dialog = byId(id);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

// ---- times

/** "12 s ago", "5 min ago", "at 14:03", "3/11/2026 14:03". */
export function ago(moment, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 60) return t("base.seconds_ago", { n: seconds });
  if (seconds < 3600) return t("base.minutes_ago", { n: Math.floor(seconds / 60) });
  return seconds < 72000 ? t("base.at_time", { time: clock(moment) }) : briefly(moment, now);
}

/** Day and time of this year, day and year of an earlier one: for where there is little room. */
function briefly(moment, now) {
  const date = new Date(moment);
  const ofThisYear = date.getFullYear() === new Date(now).getFullYear();
  const rest = ofThisYear ? { hour: "2-digit", minute: "2-digit" } : { year: "numeric" };
  return date.toLocaleString([], { day: "numeric", month: "short", ...rest });
}

export function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

export function when(moment) {
  const date = new Date(moment);
  const day = date.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
  return `${day}, ${date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })}`;
}

/** Shows the times of a part of the page in the reader's own zone. */
export function showTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(element.dateTime);
    if (Number.isNaN(moment)) continue;
    if ("ago" in element.dataset) put(element, ago(moment));
    else if ("when" in element.dataset) put(element, when(moment));
    if (!element.title) element.title = when(moment);
  }
}

// ---- every page

async function copy(button) {
  const from = byId(button.dataset.copy);
  let copied = true;
  try {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
  } catch (error) {
    // Over plain http there is no clipboard, or the browser keeps it back.
    if (from.select) from.select();
    else getSelection().selectAllChildren(from);
    copied = document.execCommand("copy");
    button.focus();
  }
  toast(copied ? t("base.copied") : t("base.not_copied"), copied ? "good" : "bad");
}

document.addEventListener("click", (click) => {
  const copied = click.target.closest("[data-copy]");
  if (copied) copy(copied);
  const closing = click.target.closest("[data-close]");
  if (closing) closing.closest("dialog").close();
  if (click.target.closest("[data-back]") && history.length > 1) {
    click.preventDefault();
    history.back();
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(click.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (key) => {
  if (key.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
showTimes();
setInterval(() => showTimes(), 10000);
