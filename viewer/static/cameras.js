// The list of cameras, kept up to date, and the forms that add and change one.

import { ago, byId, loggedOut, Problem, put, send, toast } from "./page.js";
import { Pictures } from "./pictures.js";
import { t } from "./texts.js";

const POLL_MS = 2000;
const PICTURES_PER_S = "2";
const TONES = { running: "good", silent: "bad", lost: "bad", failed: "bad", opening: "warn", waiting: "warn" };

const field = (root, name) => root.querySelector(`[data-field="${name}"]`);
const pictures = new Pictures(() => ({ fps: PICTURES_PER_S }));

// ---- the list

function kindOf(camera) {
  if (camera.fixed) return "fixed";
  if (camera.pushed) return "pushed";
  if (camera.kept) return "kept";
  return camera.state === "silent" ? "gone" : "seen";
}

function figures(camera) {
  if (camera.state !== "running") return camera.last_seen ? ago(Date.parse(camera.last_seen)) : "";
  const late = camera.delay_ms < 10000 ? t("cameras.delay", { n: camera.delay_ms })
    : t("cameras.behind", { n: Math.round(camera.delay_ms / 1000) });
  return t("cameras.figures", { fps: camera.fps.toFixed(1), delay: late });
}

const dropped = new Map();

/** What a producer left out since it began; a camera that loses frames now stands out. */
function drops(root, { name, producer, drops: count }) {
  const place = field(root, "drops");
  const figure = count.toLocaleString();
  if (place.matches("dd")) put(place, producer ? figure : "–");
  else put(place, t("cameras.drops", { n: figure }));
  place.hidden = !producer && !place.matches("dd");
  place.classList.toggle("more", count > (dropped.get(name) ?? count));
  dropped.set(name, count);
}

function picture(root, camera) {
  const link = root.querySelector("a.picture");
  const img = link.querySelector("img");
  if (camera.seen && link.hidden) {
    img.src = `/snapshot/${camera.name}.jpg?w=320`;
    link.hidden = false;
    pictures.add(img);
  } else if (!camera.seen && !link.hidden) {
    pictures.remove(img);
    link.hidden = true;
  }
  root.querySelector(".picture.none").hidden = camera.seen;
}

function show(root, camera) {
  const state = field(root, "state") || document.querySelector('.head [data-field="state"]');
  put(state, t(`cameras.state_${camera.state}`));
  state.className = `badge-soft ${TONES[camera.state] || ""}`;
  root.className = root.className.replace(/\bstate-\w+/, `state-${camera.state}`);
  put(field(root, "figures"), figures(camera));
  put(field(root, "kind"), t(`cameras.kind_${kindOf(camera)}`));
  put(field(root, "address"), camera.address);
  put(field(root, "error"), camera.error);
  field(root, "error").hidden = !camera.error;
  put(field(root, "producer"), camera.producer || "–");
  drops(root, camera);
  if (camera.width) put(field(root, "size"), `${camera.width} × ${camera.height}`);
  picture(root, camera);
}

function card(camera) {
  const made = byId("source-template").content.firstElementChild.cloneNode(true);
  made.id = `camera-${camera.name}`;
  made.dataset.source = camera.name;
  made.querySelector("h3").textContent = camera.name;
  const link = made.querySelector("a.picture");
  link.href = `/camera/${camera.name}`;
  link.setAttribute("aria-label", t("cameras.live_of", { name: camera.name }));
  const img = link.querySelector("img");
  img.dataset.channel = `camera:${camera.name}`;
  img.alt = t("cameras.picture_of", { name: camera.name });
  const settings = made.querySelector("[data-settings]");
  settings.href = `/cameras/${camera.name}`;
  settings.setAttribute("aria-label", t("cameras.settings_of", { name: camera.name }));
  return made;
}

function list(now) {
  const cards = byId("sources");
  if (!cards) return;
  const present = new Map([...cards.children].map((child) => [child.dataset.source, child]));
  now.cameras.forEach((camera, at) => {
    const child = present.get(camera.name) || card(camera);
    present.delete(camera.name);
    if (cards.children[at] !== child) cards.insertBefore(child, cards.children[at] || null);
  });
  for (const child of present.values()) {
    pictures.remove(child.querySelector("img"));
    child.remove();
  }
  byId("none").hidden = now.cameras.length > 0;
  put(byId("count"), now.cameras.length === 1 ? t("cameras.count_one") : t("cameras.count", { n: now.cameras.length }));
}

let asked = 0;

async function refresh() {
  asked += 1;
  const mine = asked;
  const now = await send("/api/cameras.json", { method: "GET" });
  // An answer that a later one overtook is old.
  if (mine !== asked) return;
  list(now);
  for (const camera of now.cameras) {
    const root = document.querySelector(`[data-source="${CSS.escape(camera.name)}"]`);
    if (root) show(root, camera);
  }
  if (byId("no-producer")) byId("no-producer").hidden = now.producers !== 0;
  const problem = byId("problem");
  put(problem, now.problem ? t("cameras.identifier_problem", { problem: now.problem }) : "");
  problem.hidden = !now.problem;
  document.dispatchEvent(new CustomEvent("cameras", { detail: now }));
}

async function poll() {
  if (!document.hidden) {
    try {
      await refresh();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401) return loggedOut();
      put(byId("problem"), error.detail);
      byId("problem").hidden = false;
    }
  }
  setTimeout(poll, POLL_MS);
}

// ---- adding and changing

const plain = (form) => Object.fromEntries(
  [...new FormData(form)].filter(([name]) => name !== "csrf_token"),
);

function refuse(form, error) {
  if (!(error instanceof Problem)) throw error;
  const place = field(form, "refused");
  place.textContent = error.detail;
  place.hidden = false;
}

async function shotOf(asked) {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  let response;
  try {
    response = await fetch("/test-shot", {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": token },
      body: JSON.stringify(asked),
    });
  } catch (error) {
    throw new Problem(0, { detail: t("base.lost") });
  }
  if (response.ok) return response.blob();
  throw new Problem(response.status, await response.json().catch(() => ({})));
}

async function testShot(form, button) {
  const { address, camera } = form.elements;
  if (!address.reportValidity()) return;
  const place = form.querySelector(".shot");
  const img = place.querySelector("img");
  const said = field(place, "said");
  place.hidden = false;
  place.classList.remove("bad", "good");
  img.hidden = true;
  put(said, t("cameras.testing"));
  button.disabled = true;
  try {
    const url = URL.createObjectURL(await shotOf(address.value ? { address: address.value } : { camera: camera.value }));
    img.src = url;
    await img.decode();
    img.width = img.naturalWidth;
    img.height = img.naturalHeight;
    img.hidden = false;
    put(said, t("cameras.shot_size", { width: img.naturalWidth, height: img.naturalHeight }));
    place.classList.add("good");
  } catch (error) {
    put(said, error instanceof Problem ? error.detail : t("base.failed"));
    place.classList.add("bad");
  } finally {
    button.disabled = false;
  }
}

async function save(form) {
  const given = plain(form);
  const submit = form.querySelector(".primary");
  field(form, "refused").hidden = true;
  submit.disabled = true;
  try {
    await send(form.getAttribute("action"), { json: given });
    const name = given.name || decodeURIComponent(location.pathname.split("/").pop());
    toast(t(`cameras.${form.dataset.cameraForm}`, { name }));
    if (form.dataset.cameraForm === "added") {
      form.reset();
      form.closest("details").open = false;
    } else {
      form.elements.address.value = "";
    }
    form.querySelector(".shot").hidden = true;
    await refresh();
  } catch (error) {
    refuse(form, error);
  } finally {
    submit.disabled = false;
  }
}

for (const form of document.querySelectorAll("[data-camera-form]")) {
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    if (submit.submitter && "shot" in submit.submitter.dataset) testShot(form, submit.submitter);
    else save(form);
  });
  // A test needs the address alone.
  form.querySelector("[data-shot]").addEventListener("click", (click) => {
    click.preventDefault();
    testShot(form, click.currentTarget);
  });
}

function openWanted() {
  const wanted = location.hash && document.querySelector(`details${CSS.escape(location.hash).replace("\\#", "#")}`);
  if (wanted) wanted.open = true;
}

window.addEventListener("hashchange", openWanted);
openWanted();
for (const img of document.querySelectorAll("a.picture:not([hidden]) [data-channel]")) pictures.add(img);
poll();
