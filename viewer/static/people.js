// People and one person: photos by dropping, choosing or the camera; lists that go on; progress.

import { attempt, byId, send, showTimes, toast } from "./page.js";
import { suggestNames } from "./names.js";
import { takePhotos, thumbnail } from "./shooting.js";
import { t } from "./texts.js";
import { upload } from "./uploads.js";

const SEARCH_WAIT_MS = 250;
const POLL_MS = 1000;
const listPage = byId("people-page");
const personPage = byId("person-page");
const form = byId("add-form");
const chosen = [];

// ---- parts of the page, as the server has them now

async function fresh(address = location.href) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  if (!response.ok) throw new Error(`answer ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function refresh(...ids) {
  const page = await fresh().catch(() => null);
  if (!page) return;
  for (const id of ids) {
    const mine = byId(id);
    const theirs = page.getElementById(id);
    if (mine && theirs) {
      mine.replaceWith(theirs);
      showTimes(theirs);
    }
  }
}

/** Appends the people of the following part in the place of the link to it. */
async function more(link) {
  link.setAttribute("aria-disabled", "true");
  const page = await fresh(link.href).catch(() => null);
  if (!page) {
    location.assign(link.href);
    return;
  }
  const present = new Set([...byId("people-list").children].map((card) => card.dataset.slug));
  const cards = [...page.querySelectorAll("#people-list > li")].filter((card) => !present.has(card.dataset.slug));
  byId("people-list").append(...cards);
  const next = page.getElementById("more");
  if (next) link.replaceWith(next);
  else link.parentElement.remove();
  showTimes(byId("people-list"));
  if (cards.length) cards[0].querySelector("a").focus({ preventScroll: true });
}

// ---- adding photos

function showChosen() {
  const list = byId("chosen");
  list.replaceChildren(...chosen.map((file) => thumbnail(file, t("people.remove_chosen", { name: file.name }), () => {
    chosen.splice(chosen.indexOf(file), 1);
  })));
}

const forced = (id) => Boolean(byId(id) && byId(id).checked);
const isPicture = (file) => {
  // A HEIC or an unknown type goes to the server, which says what is wrong with it.
  const good = !file.type || file.type.startsWith("image/");
  if (!good) toast(t("people.not_a_picture", { name: file.name }), "bad");
  return good;
};

/** Photos for the form of a new person, or straight to the person whose page this is. */
async function take(files, root) {
  const pictures = files.filter(isPicture);
  if (!pictures.length) return;
  if (personPage) {
    const added = await upload(personPage.dataset.slug, pictures, { force: forced("more-force") });
    if (added) await refresh("photos", "searches");
    followSearches();
    return;
  }
  byId("add").open = true;
  chosen.push(...pictures);
  showChosen();
  const name = byId("add-name");
  if (!name.value && root !== form) name.focus();
}

async function addPerson() {
  const name = byId("add-name").value.trim();
  if (!name) {
    toast(t("people.no_name"), "bad");
    byId("add-name").focus();
    return;
  }
  if (!chosen.length) {
    toast(t("people.no_file"), "bad");
    return;
  }
  const files = chosen.splice(0);
  showChosen();
  const button = form.querySelector('[type="submit"]');
  button.disabled = true;
  try {
    if (await upload(name, files, { force: forced("add-force") })) {
      form.reset();
      await refresh("people-results");
    }
  } finally {
    button.disabled = false;
  }
}

function offerPhotos() {
  for (const zone of document.querySelectorAll("[data-drop-zone]")) {
    const input = zone.querySelector('[type="file"]');
    input.required = false;
    // Reached by the button beside it.
    input.tabIndex = -1;
    zone.querySelector("[data-choose]").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = "";
      take(files, form);
    });
    const camera = zone.querySelector("[data-camera]");
    camera.addEventListener("click", async () => {
      const shots = await takePhotos();
      camera.focus();
      await take(shots, form);
    });
    // Chosen before this script ran, or kept by the browser over a reload.
    if (input.files.length) input.dispatchEvent(new Event("change"));
  }
}

// ---- dropping

let over = null;

function targetOf(drag) {
  return drag.target.closest?.(".person-card") || drag.target.closest?.("[data-drop-zone]")
    || listPage || personPage;
}

function mark(element) {
  if (over === element) return;
  if (over) over.classList.remove("over");
  over = element;
  if (over) over.classList.add("over");
}

function offerDropping() {
  const hasFiles = (drag) => drag.dataTransfer && [...drag.dataTransfer.types].includes("Files");
  document.addEventListener("dragover", (drag) => {
    if (!hasFiles(drag)) return;
    drag.preventDefault();
    drag.dataTransfer.dropEffect = "copy";
    mark(targetOf(drag));
  });
  document.addEventListener("dragleave", (drag) => {
    if (!drag.relatedTarget) mark(null);
  });
  document.addEventListener("drop", async (drop) => {
    if (!hasFiles(drop)) return;
    drop.preventDefault();
    const target = targetOf(drop);
    mark(null);
    const files = [...drop.dataTransfer.files];
    if (target.matches(".person-card")) {
      if (await upload(target.dataset.slug, files.filter(isPicture))) await refresh("people-results");
    } else {
      await take(files, target);
    }
  });
}

// ---- searching the list

let searchTimer = null;

function offerSearch() {
  const input = byId("q");
  const search = async () => {
    const address = new URL(location.href);
    address.search = input.value.trim() ? new URLSearchParams({ q: input.value.trim() }) : "";
    history.replaceState(null, "", address);
    await refresh("people-results");
  };
  input.addEventListener("input", () => {
    clearTimeout(searchTimer);
    searchTimer = setTimeout(search, SEARCH_WAIT_MS);
  });
  byId("people-search").addEventListener("submit", (submit) => {
    submit.preventDefault();
    clearTimeout(searchTimer);
    search();
  });
  listPage.addEventListener("click", (click) => {
    const link = click.target.closest("#more");
    if (!link || click.ctrlKey || click.metaKey) return;
    click.preventDefault();
    more(link);
  });
}

// ---- one person

let following = false;

/** Shows how far searches of the past are, until all have ended. */
async function followSearches() {
  if (following || byId("searches")?.dataset.busy !== "1") return;
  following = true;
  const address = `/people/${personPage.dataset.slug}/searches.json`;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const told = await send(address, { method: "GET" }).catch(() => null);
    if (!told) continue;
    byId("searches").innerHTML = told.html;
    showTimes(byId("searches"));
    if (!told.busy) break;
  }
  following = false;
}

function offerThreshold() {
  const slide = byId("threshold-slide");
  const number = byId("threshold");
  if (!slide) return;
  slide.value = number.value;
  slide.addEventListener("input", () => { number.value = Number(slide.value).toFixed(2); });
  number.addEventListener("input", () => { slide.value = number.value; });
}

/** Forms that change a part of the page alone do so without a reload. */
function offerQuietForms() {
  personPage.addEventListener("submit", async (submit) => {
    const quiet = submit.target.closest("[data-quiet]");
    const past = submit.target.closest("#past-form, #searches form");
    if (!quiet && !past) return;
    submit.preventDefault();
    const body = new FormData(submit.target);
    const told = await attempt(() => send(submit.target.action, { body }));
    if (told === undefined) return;
    if (quiet) {
      toast(t(`people.${quiet.dataset.quiet}`));
      await refresh("photos");
    } else {
      await refresh("searches");
      followSearches();
    }
  });
}

function offerErasing() {
  const input = byId("erase-name");
  const button = byId("erase-form").querySelector('[type="submit"]');
  const same = (text) => text.trim().replace(/\s+/g, " ").toLowerCase();
  const show = () => { button.disabled = same(input.value) !== same(input.dataset.name); };
  input.addEventListener("input", show);
  show();
}

suggestNames();
if (byId("add")) {
  offerPhotos();
  offerDropping();
  if (location.hash === "#add" && listPage) byId("add").open = true;
}
if (form) {
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    addPerson();
  });
}
if (listPage) offerSearch();
if (personPage) {
  offerThreshold();
  offerQuietForms();
  followSearches();
}
if (byId("erase-form")) offerErasing();
