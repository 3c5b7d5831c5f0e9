// Sends photos one after the other, and shows the progress of each and what became of it.

import { byId, put, toast } from "./page.js";
import { t } from "./texts.js";

// What the viewer takes in one request, less what a form adds.
const MOST_BYTES = 63 * 1024 * 1024;
const token = () => document.querySelector('meta[name="csrf-token"]').content;

/** Sends one photo; resolves to the outcome. `progress` is told a fraction from 0 to 1. */
function post(name, file, force, progress) {
  if (file.size > MOST_BYTES) return Promise.reject(new Error(t("people.too_large")));
  const form = new FormData();
  form.append("name", name);
  form.append("file", file, file.name);
  if (force) form.append("force", "1");
  return new Promise((resolve, reject) => {
    // fetch() does not tell how much of a body was sent.
    const request = new XMLHttpRequest();
    request.open("POST", "/people");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", token());
    request.responseType = "json";
    request.upload.addEventListener("progress", (sent) => {
      if (sent.lengthComputable) progress(sent.loaded / sent.total);
    });
    request.addEventListener("load", () => {
      const answer = request.response || {};
      if (request.status === 200 && answer.outcomes) resolve(answer.outcomes[0]);
      else if (request.status === 401) reject(new Error(t("base.logged_out")));
      else if (request.status === 413) reject(new Error(t("people.too_large")));
      else reject(new Error(answer.detail || t("base.failed")));
    });
    request.addEventListener("error", () => reject(new Error(t("people.away"))));
    request.send(form);
  });
}

function newRow(file) {
  const row = byId("tray-template").content.firstElementChild.cloneNode(true);
  const picture = row.querySelector("img");
  const address = URL.createObjectURL(file);
  picture.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  picture.addEventListener("error", () => { picture.style.visibility = "hidden"; }, { once: true });
  picture.src = address;
  row.querySelector("strong").textContent = file.name;
  row.querySelector("progress").setAttribute("aria-label", file.name);
  return row;
}

function button(text, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button";
  made.textContent = text;
  made.addEventListener("click", work, { once: true });
  return made;
}

/** Fills a row with what became of its photo; `again` sends it once more, by force or not. */
function tell(row, outcome, again) {
  const place = row.querySelector(".stack");
  // Rendered by the server from a template that escapes what is in it.
  place.innerHTML = outcome.html;
  if (outcome.may_force) place.append(button(t("people.force_one"), () => again(true)));
}

function fail(row, error, again) {
  const place = row.querySelector(".stack");
  const text = document.createElement("p");
  text.className = "message";
  text.textContent = error.message;
  place.replaceChildren(row.querySelector("strong"), text, button(t("people.again"), () => again(false)));
}

async function sendOne(row, name, file, force) {
  const place = row.querySelector(".stack");
  if (!place.querySelector("progress")) {
    const fresh = newRow(file).querySelector(".stack");
    place.replaceChildren(...fresh.children);
  }
  const bar = row.querySelector("progress");
  const words = row.querySelector("span");
  return post(name, file, force, (part) => {
    if (part < 1) {
      bar.value = 100 * part;
      put(words, t("people.uploading", { name: file.name, percent: Math.round(100 * part) }));
    } else {
      bar.removeAttribute("value");
      put(words, t("people.reading", { name: file.name }));
    }
  });
}

/**
 * Adds photos to a person.
 *
 * @param name of the person, or their slug
 * @param files what to send
 * @param force whether small, blurred and turned faces are taken
 * @param changed called after every photo that was added
 */
export async function upload(name, files, { force = false, changed = () => {} } = {}) {
  const tray = byId("tray");
  tray.hidden = false;
  const end = byId("tray-end");
  end.replaceChildren();
  const rows = files.map(newRow);
  byId("outcomes").prepend(...rows);
  tray.scrollIntoView({ block: "nearest" });
  const added = [];
  const one = async (row, file, byForce) => {
    const again = async (insist) => {
      if (await one(row, file, insist)) finish(added, end);
    };
    try {
      const outcome = await sendOne(row, name, file, byForce);
      tell(row, outcome, again);
      if (outcome.state !== "added") return false;
      added.push(outcome.person);
      changed();
      return true;
    } catch (error) {
      fail(row, error, again);
      return false;
    }
  };
  for (const [at, file] of files.entries()) await one(rows[at], file, force);
  finish(added, end);
  return added.length;
}

function finish(added, end) {
  const text = !added.length ? t("people.none_added")
    : added.length === 1 ? t("people.done_1") : t("people.done", { n: added.length });
  end.textContent = text;
  if (!added.length) return;
  toast(text);
  const person = added[added.length - 1];
  if (location.pathname === `/people/${person.slug}`) return;
  const link = document.createElement("a");
  link.className = "button";
  link.href = `/people/${person.slug}`;
  link.textContent = t("people.open", { name: person.name });
  end.append(" ", link);
}
