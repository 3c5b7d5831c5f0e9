// Those without a name: several at once, changes without a reload, newcomers as they appear.

import { events } from "./events.js";
import { attempt, byId, glide, isCalm, put, send, showTimes } from "./page.js";
import { suggestNames } from "./names.js";
import { t } from "./texts.js";

const LOOK_WAIT_MS = 700;
const page = byId("unknown-page");
const boxes = () => [...document.querySelectorAll('#unknowns input[name="number"][type="checkbox"]')];
const list = () => byId("unknowns");

// ---- several at once

let last = null;

function showChosen() {
  const bar = byId("many");
  if (!bar) return;
  const chosen = boxes().filter((box) => box.checked);
  for (const box of boxes()) box.closest(".stranger").classList.toggle("chosen", box.checked);
  bar.classList.add("ready");
  bar.hidden = !chosen.length;
  put(byId("many-count"), chosen.length === 1 ? t("unknown.chosen_1") : t("unknown.chosen", { n: chosen.length }));
  bar.querySelector('[value="merge"]').disabled = chosen.length < 2;
}

function offerRanges() {
  page.addEventListener("click", (click) => {
    const box = click.target.closest('#unknowns input[type="checkbox"]');
    if (!box) return;
    if (click.shiftKey && last && last !== box) {
      const all = boxes();
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      if (from >= 0) for (const each of all.slice(from, to + 1)) each.checked = box.checked;
    }
    last = box;
    showChosen();
  });
  page.addEventListener("reset", () => setTimeout(showChosen));
}

// ---- changes

function tell(told) {
  for (const each of told) {
    const text = document.createElement("p");
    text.className = each.good ? "message good" : "message";
    text.textContent = each.text;
    byId("told").prepend(text);
  }
  while (byId("told").children.length > 6) byId("told").lastElementChild.remove();
}

const cardOf = (number) => list()?.querySelector(`[data-number="${number}"]`);

async function change(form, button) {
  const body = new FormData(form, button);
  const controls = [...form.elements].filter((each) => each.type === "submit");
  for (const each of controls) each.disabled = true;
  const answer = await attempt(() => send("/unknown", { body }));
  for (const each of controls) each.disabled = false;
  if (!answer) return;
  tell(answer.told);
  for (const { number, gone } of answer.told) {
    const card = cardOf(number);
    if (!card) continue;
    if (gone && !(button.value === "ignore" && location.search.includes("ignored"))) leave(card);
    else await renew(card);
  }
  if (button.value === "merge") await look();
  if (form.id === "many") {
    form.reset();
    for (const box of boxes()) box.checked = false;
  }
  showChosen();
  if (!list()?.children.length) await showResults();
}

function leave(card) {
  const next = card.nextElementSibling || card.previousElementSibling;
  const held = card.contains(document.activeElement);
  card.remove();
  if (held && next) next.querySelector("h2 a").focus({ preventScroll: true });
}

/** The whole list as the server has it now; what was told stays. */
async function showResults(now) {
  const fresh = (now || await server())?.getElementById("unknown-results");
  if (!fresh) return;
  byId("unknown-results").replaceWith(fresh);
  showTimes(fresh);
  showChosen();
}

async function renew(card) {
  const fresh = (await server())?.querySelector(`#unknowns [data-number="${card.dataset.number}"]`);
  if (fresh) card.replaceWith(fresh);
  showTimes(list());
}

// ---- newcomers

async function server() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

let pointerInside = false;

/** Whether somebody is about to click, types, has chosen something, or wants it calm: then nothing moves. */
function isBusy() {
  return isCalm() || pointerInside || list()?.contains(document.activeElement) || boxes().some((box) => box.checked);
}

let looking = null;

async function look() {
  const now = await server();
  if (!now) return;
  const cards = [...now.querySelectorAll("#unknowns > li")];
  if (!list()) {
    if (cards.length) await showResults(now);
    return;
  }
  const newcomers = [];
  for (const card of cards) {
    const mine = cardOf(card.dataset.number);
    if (!mine) {
      newcomers.push(card);
      continue;
    }
    const line = mine.querySelector("[data-live]");
    const theirs = card.querySelector("[data-live]");
    if (line.textContent !== theirs.textContent) line.replaceChildren(...theirs.childNodes);
  }
  showTimes(list());
  offer(newcomers);
}

function insert(cards) {
  const newcomers = cards.filter((card) => !cardOf(card.dataset.number));
  glide(() => [...list().children], () => list().prepend(...newcomers));
  showTimes(list());
  byId("news").replaceChildren();
}

function offer(cards) {
  const news = byId("news");
  if (!cards.length) {
    news.replaceChildren();
    return;
  }
  if (!isBusy() && scrollY < 40) {
    insert(cards);
    return;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button primary";
  button.textContent = cards.length === 1 ? t("unknown.new_1") : t("unknown.new", { n: cards.length });
  button.addEventListener("click", () => {
    insert(cards);
    scrollTo({ top: 0 });
    list().querySelector("h2 a").focus({ preventScroll: true });
  });
  news.replaceChildren(button);
}

function lookSoon() {
  clearTimeout(looking);
  looking = setTimeout(look, LOOK_WAIT_MS);
}

// ---- the page

suggestNames();
if (location.hash === "#forget" && byId("forget")) byId("forget").open = true;
document.addEventListener("error", (failed) => {
  // A crop that is not kept any more leaves its place empty.
  if (failed.target instanceof HTMLImageElement) failed.target.classList.add("missing");
}, true);
if (page) {
  page.addEventListener("submit", (submit) => {
    if (!submit.target.matches("[data-act], #many") || !submit.submitter) return;
    submit.preventDefault();
    if (submit.target.id === "many" && submit.submitter.value === "name" && !byId("many-name").value.trim()) {
      byId("many-name").focus();
      return;
    }
    change(submit.target, submit.submitter);
  });
  page.addEventListener("pointerover", (move) => { pointerInside = Boolean(list()?.contains(move.target)); });
  page.addEventListener("pointerleave", () => { pointerInside = false; });
  offerRanges();
  showChosen();
  if (page.dataset.first === "1") {
    events(({ type }) => type.startsWith("unknown_") && lookSoon(), { refresh: lookSoon });
  }
}
