// Keeps the page up to date: pictures over one connection, everything else once a second.
// Without this script the page shows the same pictures as MJPEG, and stands still otherwise.

const POLL_MS = 1000;
const RETRY_MS = 1000;
const FACE_EVERY_MS = 5000;
const LATE_MS = 4000;

const byId = (id) => document.getElementById(id);
const field = (root, name) => root.querySelector(`[data-field="${name}"]`);

function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// ---- pictures

/** Shows the newest of the pictures it is given; while one is being decoded the rest are skipped. */
class Screen {
  constructor(img) {
    this.img = img;
    this.busy = false;
    this.next = null;
    this.url = null;
  }

  show(blob) {
    if (this.busy) {
      this.next = blob;
      return;
    }
    this.busy = true;
    const url = URL.createObjectURL(blob);
    const done = () => {
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = url;
      this.busy = false;
      if (this.next) {
        const next = this.next;
        this.next = null;
        this.show(next);
      }
    };
    this.img.onload = done;
    this.img.onerror = done;
    this.img.src = url;
  }
}

/** Bytes of a response, taken by line or by count. */
class Bytes {
  constructor(reader) {
    this.reader = reader;
    this.buffer = new Uint8Array(0);
  }

  async more(atLeast) {
    const parts = [this.buffer];
    let length = this.buffer.length;
    while (length < atLeast) {
      const { done, value } = await this.reader.read();
      if (done) throw new Error("the stream ended");
      parts.push(value);
      length += value.length;
    }
    this.buffer = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      this.buffer.set(part, at);
      at += part.length;
    }
  }

  async line() {
    let end;
    while ((end = this.buffer.indexOf(10)) < 0) await this.more(this.buffer.length + 1);
    const text = new TextDecoder().decode(this.buffer.subarray(0, end));
    this.buffer = this.buffer.subarray(end + 1);
    return text;
  }

  async take(count) {
    if (this.buffer.length < count) await this.more(count);
    const taken = this.buffer.slice(0, count);
    this.buffer = this.buffer.subarray(count);
    return taken;
  }
}

/** The one connection that carries every picture in view. */
class Pictures {
  constructor() {
    this.screens = new Map();
    this.visible = new Set();
    this.asked = "";
    this.abort = null;
    this.timer = null;
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.visible.add(target);
        else this.visible.delete(target);
      }
      this.soon();
    }, { rootMargin: "100% 0px" });
    document.addEventListener("visibilitychange", () => this.soon());
    window.addEventListener("resize", () => this.soon());
  }

  add(img) {
    this.screens.set(img.dataset.channel, new Screen(img));
    this.observer.observe(img);
  }

  remove(img) {
    this.observer.unobserve(img);
    this.visible.delete(img);
    this.screens.delete(img.dataset.channel);
    this.soon();
  }

  soon(delay = 100) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), delay);
  }

  address() {
    const seen = [...this.visible].filter((img) => img.isConnected);
    if (document.hidden || !seen.length) return "";
    const query = new URLSearchParams();
    for (const img of seen.slice(0, 64)) query.append(...img.dataset.channel.split(/:(.*)/s, 2));
    const widest = Math.max(...seen.map((img) => img.clientWidth));
    query.set("w", String(Math.min(16384, Math.ceil(widest * window.devicePixelRatio / 160) * 160)));
    return `/live?${query}`;
  }

  ask() {
    const address = this.address();
    if (address === this.asked) return;
    this.asked = address;
    if (this.abort) this.abort.abort();
    this.abort = new AbortController();
    if (address) this.read(address, this.abort.signal);
  }

  async read(address, signal) {
    try {
      const response = await fetch(address, { signal });
      if (!response.ok) throw new Error(`answer ${response.status}`);
      const bytes = new Bytes(response.body.getReader());
      for (;;) {
        const head = JSON.parse(await bytes.line());
        const jpeg = await bytes.take(head.bytes);
        const screen = this.screens.get(`${head.kind}:${head.name}`);
        if (!screen) continue;
        screen.show(new Blob([jpeg], { type: "image/jpeg" }));
        const owner = screen.img.closest(".tile, .single");
        if (owner) owner.classList.toggle("stale", !head.live);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.asked = "";
      this.soon(RETRY_MS);
    }
  }
}

// ---- everything else

const pictures = new Pictures();
const faceShownAt = new Map();

function ago(moment, now) {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  const date = new Date(moment);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return seconds < 72000 ? `at ${time}` : `${date.toLocaleDateString()} ${time}`;
}

function showCamera(root, camera, state) {
  root.classList.toggle("stale", camera.stale);
  const names = camera.stale ? [] : camera.people.map((slug) => state.names.get(slug) || slug);
  if (!camera.stale && camera.unknown_faces) names.push(`${camera.unknown_faces} unknown`);
  put(field(root, "who"), names.join(", "));
  put(field(root, "figures"), camera.stale
    ? `no signal, last frame ${ago(Date.parse(camera.last_seen), state.nowMs)}`
    : `${camera.fps.toFixed(1)} fps · ${delay(camera.delay_ms)}`);
}

function delay(ms) {
  return ms < 10000 ? `${ms} ms` : `${Math.round(ms / 1000)} s behind`;
}

function showPerson(root, person, state) {
  root.classList.toggle("here", person.here);
  put(field(root, "name"), person.name);
  put(field(root, "initial"), [...person.name][0] || "?");
  put(field(root, "seen"), !person.last_seen ? "not seen yet"
    : person.here ? `${person.camera}, now`
    : `${person.camera}, ${ago(Date.parse(person.last_seen), state.nowMs)}`);
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
  img.alt = `Live picture of camera ${camera.name}`;
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
  cameras.dataset.count = String(state.cameras.length);
  byId("no-cameras").hidden = state.cameras.length > 0;
  sync(byId("people"), byId("person-template"), state.people, "slug", "person", newPerson);
  byId("no-people").hidden = state.people.length > 0;
}

function showSummary(state) {
  const silent = state.cameras.filter((camera) => camera.stale).length;
  const live = `${state.cameras.length - silent} live`;
  const text = !state.cameras.length ? "no cameras" : silent ? `${live}, ${silent} without signal` : live;
  const summary = byId("summary");
  put(field(summary, "text"), text);
  summary.classList.toggle("none", !state.cameras.length);
  summary.classList.toggle("stale", silent > 0 && silent === state.cameras.length);
  notice(state.ready ? "" : "Kafka does not answer: no new pictures come in. Trying again.");
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

function notice(text) {
  const element = byId("notice");
  put(element, text);
  element.hidden = !text;
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
  showWhere(state);
  showSummary(state);
}

async function poll() {
  if (!document.hidden) {
    try {
      const response = await fetch("/api/state.json", { signal: AbortSignal.timeout(LATE_MS) });
      if (!response.ok) throw new Error(`answer ${response.status}`);
      show(await response.json());
    } catch (error) {
      notice("The connection to facestream is lost. Trying again.");
    }
  }
  setTimeout(poll, POLL_MS);
}

function fullScreen() {
  const button = byId("full-screen");
  const stage = byId("stage");
  if (!button || !stage || !stage.requestFullscreen) return;
  button.hidden = false;
  button.addEventListener("click", () => stage.requestFullscreen());
}

if (byId("summary").childElementCount) {
  document.querySelectorAll("[data-channel]").forEach((img) => pictures.add(img));
  fullScreen();
  poll();
}
