// Keeps what is to be seen now up to date: pictures over one connection, the rest once a second.
// Without this script the page shows the same pictures as MJPEG, and stands still otherwise.

import { events } from "./events.js";
import { offerNotifications } from "./notifying.js";
import { ago, byId, loggedOut, notice, put, showTimes } from "./page.js";
import { Pictures } from "./pictures.js";
import { t } from "./texts.js";

const POLL_MS = 1000;
const FACE_EVERY_MS = 5000;
const LATE_MS = 4000;

const field = (root, name) => root.querySelector(`[data-field="${name}"]`);

// ---- how pictures are drawn, for this browser

const STYLE_KEY = "facestream.style";
const style = (() => {
  try {
    return { names: true, boxes: true, blur: false, ...JSON.parse(localStorage.getItem(STYLE_KEY)) };
  } catch (error) {
    return { names: true, boxes: true, blur: false };
  }
})();

/** What a picture's address carries; nothing while all is as usual. */
function styleQuery() {
  const query = {};
  if (!style.names) query.names = "0";
  if (!style.boxes) query.boxes = "0";
  if (style.blur) query.blur = "1";
  return query;
}

const pictures = new Pictures(styleQuery);

function styleSnapshots() {
  for (const link of document.querySelectorAll("a[data-snapshot]")) {
    link.search = new URLSearchParams(styleQuery());
  }
}

function offerStyle() {
  const menu = byId("options");
  menu.hidden = false;
  for (const box of menu.querySelectorAll("[data-style]")) {
    box.checked = style[box.dataset.style];
    box.addEventListener("change", () => {
      style[box.dataset.style] = box.checked;
      localStorage.setItem(STYLE_KEY, JSON.stringify(style));
      pictures.soon();
      styleSnapshots();
    });
  }
  styleSnapshots();
}

// ---- cameras and people

const faceShownAt = new Map();

function showCamera(root, camera, state) {
  root.classList.toggle("stale", camera.stale);
  const names = camera.stale ? [] : camera.people.map((slug) => state.names.get(slug) || slug);
  if (!camera.stale && camera.unknown_faces) names.push(t("live.unknown_faces", { n: camera.unknown_faces }));
  put(field(root, "who"), names.join(", "));
  put(field(root, "figures"), camera.stale
    ? t("live.no_signal_since", { ago: ago(Date.parse(camera.last_seen), state.nowMs) })
    : t("live.figures", { fps: camera.fps.toFixed(1), delay: delay(camera.delay_ms) }));
}

function delay(ms) {
  return ms < 10000 ? t("live.delay", { n: ms }) : t("live.behind", { n: Math.round(ms / 1000) });
}

function showPerson(root, person, state) {
  root.classList.toggle("here", person.here);
  put(field(root, "name"), person.name);
  put(field(root, "initial"), [...person.name][0] || "?");
  put(field(root, "seen"), !person.last_seen ? t("live.not_seen")
    : person.here ? t("live.here", { camera: person.camera })
    : t("live.seen", { camera: person.camera, ago: ago(Date.parse(person.last_seen), state.nowMs) }));
  showFace(root, person);
}

function showFace(root, person) {
  const img = root.querySelector("[data-face]");
  const shown = faceShownAt.get(person.slug);
  if (!img || !person.last_seen || (shown && (!person.here || Date.now() - shown < FACE_EVERY_MS))) return;
  faceShownAt.set(person.slug, Date.now());
  const fresh = new Image();
  fresh.onload = () => {
    img.src = fresh.src;
    img.hidden = false;
  };
  fresh.src = `/face/${encodeURIComponent(person.slug)}.jpg?t=${Date.now()}`;
}

/** Makes the children of a list those of the state: new ones from a template, in its order. */
function sync(list, template, items, key, attribute, fill) {
  const present = new Map([...list.children].map((child) => [child.dataset[attribute], child]));
  items.forEach((item, at) => {
    let child = present.get(item[key]);
    present.delete(item[key]);
    if (!child) {
      child = template.content.firstElementChild.cloneNode(true);
      child.dataset[attribute] = item[key];
      fill(child, item);
    }
    if (list.children[at] !== child) list.insertBefore(child, list.children[at] || null);
  });
  for (const child of present.values()) {
    child.querySelectorAll("[data-channel]").forEach((img) => pictures.remove(img));
    child.remove();
  }
}

function newTile(tile, camera) {
  tile.querySelector(".frame").href = `/camera/${camera.name}`;
  tile.querySelector("h2").textContent = camera.name;
  const img = tile.querySelector("[data-channel]");
  img.dataset.channel = `camera:${camera.name}`;
  img.alt = t("live.picture_of_camera", { name: camera.name });
  const shoot = tile.querySelector("[data-snapshot]");
  shoot.href = `/snapshot/${camera.name}.jpg`;
  shoot.setAttribute("aria-label", t("live.snapshot_of", { name: camera.name }));
  styleSnapshots();
  pictures.add(img);
}

function newPerson(entry, person) {
  entry.querySelector("a").href = `/person/${encodeURIComponent(person.slug)}`;
  entry.querySelector(".face").className = `face hue-${person.hue}`;
}

function showLists(state) {
  const cameras = byId("cameras");
  if (!cameras) return;
  sync(cameras, byId("camera-template"), state.cameras, "name", "camera", newTile);
  byId("no-cameras").hidden = state.cameras.length > 0;
  sync(byId("people"), byId("person-template"), state.people, "slug", "person", newPerson);
  byId("no-people").hidden = state.people.length > 0;
}

function showSummary(state) {
  const silent = state.cameras.filter((camera) => camera.stale).length;
  const live = state.cameras.length - silent;
  const summary = byId("summary");
  put(field(summary, "text"), !state.cameras.length ? t("live.none")
    : silent ? t("live.silent", { live, silent }) : t("live.live_cameras", { n: live }));
  summary.classList.toggle("none", !state.cameras.length);
  summary.classList.toggle("stale", silent > 0 && !live);
  notice(state.ready ? "" : t("live.no_kafka"));
}

/** Keeps the choice of people up to date, and leaves only the cameras that show the chosen one. */
function showOnly(state) {
  const only = byId("only");
  if (!only) return;
  const wanted = [["", only.options[0].text], ...state.people.map((one) => [one.slug, one.name])];
  if (wanted.map(([slug]) => slug).join() !== [...only.options].map((one) => one.value).join()) {
    const chosen = only.value;
    only.replaceChildren(...wanted.map(([slug, name]) => new Option(name, slug)));
    only.value = wanted.some(([slug]) => slug === chosen) ? chosen : "";
  }
  let shown = 0;
  for (const camera of state.cameras) {
    const tile = document.querySelector(`.tile[data-camera="${CSS.escape(camera.name)}"]`);
    if (!tile) continue;
    tile.hidden = Boolean(only.value) && (camera.stale || !camera.people.includes(only.value));
    if (!tile.hidden) shown += 1;
  }
  put(byId("nobody"), only.value && !shown ? t("live.nobody_with") : "");
  byId("cameras").dataset.count = String(shown);
}

function showWhere(state) {
  const where = byId("where");
  const root = document.querySelector(".single[data-person]");
  const person = root && state.people.find((entry) => entry.slug === root.dataset.person);
  if (!where || !person || !person.camera) return;
  where.hidden = false;
  where.href = `/camera/${person.camera}`;
  put(field(where, "camera"), person.camera);
}

function show(state) {
  state.nowMs = Date.parse(state.now);
  state.names = new Map(state.people.map((person) => [person.slug, person.name]));
  showLists(state);
  for (const camera of state.cameras) {
    for (const root of document.querySelectorAll(`[data-camera="${CSS.escape(camera.name)}"]`)) {
      showCamera(root, camera, state);
    }
  }
  for (const person of state.people) {
    for (const root of document.querySelectorAll(`[data-person="${CSS.escape(person.slug)}"]`)) {
      showPerson(root, person, state);
    }
  }
  showOnly(state);
  showWhere(state);
  showSummary(state);
}

async function poll(again = true) {
  if (!document.hidden) {
    try {
      const response = await fetch("/api/state.json", { signal: AbortSignal.timeout(LATE_MS) });
      if (response.status === 401) return loggedOut();
      if (!response.ok) throw new Error(`answer ${response.status}`);
      show(await response.json());
    } catch (error) {
      notice(t("base.lost"));
    }
  }
  if (again) setTimeout(poll, POLL_MS);
}

function fullScreen() {
  const button = byId("full-screen");
  const stage = byId("stage");
  if (!button || !stage || !stage.requestFullscreen) return;
  button.hidden = false;
  button.addEventListener("click", () => stage.requestFullscreen());
}

// ---- who came and went

const LATELY = 6;
let latelyTimer = null;

function whoOf(sighting) {
  if (sighting.person) return sighting.person.name;
  return sighting.unknown ? t("live.unknown", { n: sighting.unknown }) : t("live.somebody");
}

async function showLately() {
  const section = byId("lately");
  const response = await fetch(`/api/lately.json?limit=${LATELY}`);
  if (!response.ok) return;
  const { sightings } = await response.json();
  const rows = sightings.map((sighting) => {
    const row = byId("lately-template").content.firstElementChild.cloneNode(true);
    row.querySelector("a").href = `/sightings/${sighting.id}`;
    row.querySelector(".name").textContent = whoOf(sighting);
    row.querySelector(".where").textContent = sighting.camera;
    row.querySelector("time").dateTime = sighting.last_at;
    if (sighting.crop) row.querySelector("img").src = `/sightings/${sighting.id}/crop.jpg`;
    else row.querySelector("img").remove();
    return row;
  });
  section.querySelector("ul").replaceChildren(...rows);
  section.hidden = !rows.length;
  showTimes(section);
}

function latelySoon() {
  clearTimeout(latelyTimer);
  latelyTimer = setTimeout(() => showLately().catch(() => {}), 400);
}

document.querySelectorAll("[data-channel]").forEach((img) => pictures.add(img));
fullScreen();
offerStyle();
if (byId("toolbar")) {
  byId("toolbar").hidden = false;
  byId("only").addEventListener("change", () => poll(false));
}
if (byId("lately")) {
  latelySoon();
  events(latelySoon, { refresh: latelySoon });
  offerNotifications(whoOf);
}
poll();
