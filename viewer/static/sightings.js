// The list of sightings: what is new, what is older, and the lanes by keyboard.

import { events } from "./events.js";
import { byId, glide, isCalm, put, showTimes, toast } from "./page.js";
import { t } from "./texts.js";
import { ownZone } from "./zone.js";

const SETTLE_MS = 1200;
const READING_PX = 120;
const MOST_LINES = 600;

const page = byId("sightings-page");
const timeline = byId("timeline");

ownZone(page.dataset.zone);

// ---- form: what is empty does not belong into the address

byId("filters").addEventListener("submit", (event) => {
  for (const field of event.target.elements) {
    if (field.name && field.value === "") field.disabled = true;
  }
  const has = (name) => event.target.elements[name]?.value;
  if (!has("from") && !has("until")) event.target.elements.zone.disabled = true;
  else if (event.target.elements.period) event.target.elements.period.disabled = true;
});
window.addEventListener("pageshow", () => {
  for (const field of byId("filters").elements) field.disabled = false;
});

// ---- lines

async function fetchPage(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) throw new Error(`${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

const linesOf = (root) => [...root.querySelectorAll("[data-sighting]")];

function lineWith(id) {
  return timeline.querySelector(`[data-sighting="${CSS.escape(id)}"]`);
}

function sectionOf(day) {
  return timeline.querySelector(`[data-day="${CSS.escape(day)}"]`);
}

/** Puts lines of another version of the page where they belong. */
function take(other, { fresh }) {
  timeline.querySelector(".empty")?.remove();
  byId("nothing")?.remove();
  for (const section of other.querySelectorAll("#timeline [data-day]")) {
    const here = sectionOf(section.dataset.day);
    if (!here) {
      if (fresh) for (const line of linesOf(section)) line.classList.add("fresh");
      const after = [...timeline.children].find((each) => each.dataset.day < section.dataset.day);
      timeline.insertBefore(document.importNode(section, true), after || null);
      continue;
    }
    put(here.querySelector("h2"), section.querySelector("h2").textContent);
    const list = here.querySelector(".lines");
    for (const line of linesOf(section)) {
      const known = lineWith(line.dataset.sighting);
      const copy = document.importNode(line, true);
      if (known) {
        if (known.textContent !== copy.textContent && !known.contains(document.activeElement)) known.replaceWith(copy);
        continue;
      }
      if (fresh) copy.classList.add("fresh");
      const after = [...list.children].find((each) => Date.parse(each.dataset.started) <= Date.parse(copy.dataset.started));
      list.insertBefore(copy, after || null);
    }
  }
  showTimes(timeline);
}

// ---- what is new

let waiting = null;
let asking = null;

const reading = () =>
  scrollY > READING_PX || timeline.contains(document.activeElement) || timeline.matches(":hover") ||
  (isCalm() && linesOf(timeline).length > 0);

const movable = () => [...timeline.querySelectorAll("[data-sighting], h2")];

function showNewer() {
  byId("newer").hidden = true;
  if (waiting) glide(movable, () => take(waiting, { fresh: true }));
  waiting = null;
}

function nearest(other) {
  // More is new than the page shows: what lies between is asked for as older ones are.
  const lines = linesOf(other);
  return lines.length === 0 || lines.some((line) => lineWith(line.dataset.sighting)) || linesOf(timeline).length === 0;
}

async function refresh() {
  asking = null;
  let other;
  try {
    other = await fetchPage(location.href);
  } catch (error) {
    return; // the next event asks again
  }
  if (linesOf(timeline).length > MOST_LINES && !reading()) return location.reload();
  const fresh = linesOf(other).filter((line) => !lineWith(line.dataset.sighting));
  if (!nearest(other)) {
    if (!reading()) return location.reload();
    waiting = null;
    put(byId("show-newer"), t("sightings.new", { n: `${fresh.length}+` }));
    byId("show-newer").onclick = () => location.reload();
    byId("newer").hidden = false;
    return;
  }
  if (!fresh.length || !reading()) {
    waiting = other;
    return showNewer();
  }
  waiting = other;
  put(byId("show-newer"), t("sightings.new", { n: fresh.length }));
  byId("newer").hidden = false;
}

if (page.dataset.fresh === "yes" && timeline) {
  byId("show-newer").onclick = () => {
    showNewer();
    scrollTo({ top: 0 });
  };
  const soon = (delay) => { asking ??= setTimeout(refresh, delay); };
  events(() => soon(SETTLE_MS), { refresh: () => soon(0) });
}

// ---- what is older

document.addEventListener("click", async (click) => {
  const link = click.target.closest("#older");
  if (!link || click.ctrlKey || click.metaKey || click.shiftKey || click.button) return;
  click.preventDefault();
  if (link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  try {
    const other = await fetchPage(link.href);
    const first = other.querySelector("[data-sighting]")?.dataset.sighting;
    take(other, { fresh: false });
    const next = other.getElementById("older");
    if (next) link.href = next.href;
    else link.remove();
    if (first) lineWith(first)?.querySelector("a").focus({ preventScroll: true });
  } catch (error) {
    toast(t("sightings.older_failed"), "bad");
  } finally {
    link.removeAttribute("aria-busy");
  }
});

// ---- lanes

const lanes = byId("lanes");
const tip = byId("lane-tip");

function showTip(bar) {
  put(tip, bar.getAttribute("aria-label"));
  tip.hidden = false;
  const at = bar.getBoundingClientRect();
  const left = Math.min(Math.max(12, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 12);
  tip.style.left = `${left}px`;
  tip.style.top = `${at.top > 60 + tip.offsetHeight ? at.top - tip.offsetHeight - 6 : at.bottom + 6}px`;
}

if (lanes) {
  byId("lanes-help").hidden = false;
  for (const svg of lanes.querySelectorAll(".bars")) {
    const bars = [...svg.querySelectorAll("a")];
    bars.sort((one, other) => parseFloat(one.lastChild.getAttribute("x")) - parseFloat(other.lastChild.getAttribute("x")));
    bars.forEach((bar, at) => {
      // One stop of the tab key per lane, and the browser's own slow tip gives way to ours.
      const title = bar.querySelector("title");
      bar.setAttribute("aria-label", title.textContent);
      title.remove();
      bar.setAttribute("tabindex", at ? "-1" : "0");
    });
    svg.addEventListener("keydown", (key) => {
      const at = bars.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: bars.length - 1 }[key.key];
      if (at < 0 || to === undefined || !bars[to]) return;
      key.preventDefault();
      bars[at].setAttribute("tabindex", "-1");
      bars[to].setAttribute("tabindex", "0");
      bars[to].focus();
    });
  }
  const over = (event) => {
    const bar = event.target.closest(".bars a");
    if (bar) showTip(bar);
    else tip.hidden = true;
  };
  lanes.addEventListener("pointerover", over);
  lanes.addEventListener("pointerleave", () => { tip.hidden = true; });
  lanes.addEventListener("focusin", over);
  lanes.addEventListener("focusout", () => { tip.hidden = true; });
  document.addEventListener("keydown", (key) => {
    if (key.key === "Escape") tip.hidden = true;
  });
}
