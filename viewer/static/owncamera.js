// This browser as a camera: its frames go to the viewer one by one, the newest first, none kept.

import { byId, put, send } from "./page.js";
import { t } from "./texts.js";

const NAME_KEY = "facestream.camera";
const QUALITY = { best: 0.82, worst: 0.45, step: 0.07 };
const SCALE = { best: 1, worst: 0.4, step: 0.15 };
const CALM_FRAMES = 40;
const USUAL_SHARE = 0.25;
const WAIT_MS = { first: 500, soon: 1000, longest: 5000 };
const TAKEN_TRIES = 6;
const RETURN_TRIES = 30;
const RATE_WINDOW_MS = 3000;

const field = (name) => byId("own-counters").querySelector(`[data-field="${name}"]`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The server's clock as seen from here; a phone's own may be minutes off, and stale frames are skipped. */
class Clock {
  constructor() {
    this.offset = 0;
    this.trip = Infinity;
  }

  async ask() {
    const before = performance.now();
    const { now } = await send("/api/cameras.json", { method: "GET" });
    const after = performance.now();
    // The quicker the answer, the less its time can be off.
    if (after - before > this.trip) return;
    this.trip = after - before;
    this.offset = Date.parse(now) - (performance.timeOrigin + (before + after) / 2);
  }

  now() {
    return new Date(performance.timeOrigin + performance.now() + this.offset);
  }
}

/** How good a picture the network can carry: first the quality goes down, then the size. */
class Effort {
  constructor() {
    this.quality = QUALITY.best;
    this.scale = SCALE.best;
    this.calm = 0;
    this.usual = 0;
  }

  get slow() {
    return this.quality < QUALITY.best - 2 * QUALITY.step;
  }

  /** A frame took so long; one late frame is no slow network, several are. */
  took(ms, period) {
    this.usual += (ms - this.usual) * USUAL_SHARE;
    if (this.usual > period) {
      this.calm = 0;
      this.usual = period / 2;
      this.less();
    } else if (this.usual < period / 2) {
      this.calm += 1;
      if (this.calm >= CALM_FRAMES) {
        this.calm = 0;
        this.more();
      }
    }
  }

  less() {
    if (this.quality > QUALITY.worst) this.quality = Math.max(QUALITY.worst, this.quality - QUALITY.step);
    else this.scale = Math.max(SCALE.worst, this.scale - SCALE.step);
  }

  more() {
    if (this.scale < SCALE.best) this.scale = Math.min(SCALE.best, this.scale + SCALE.step);
    else this.quality = Math.min(QUALITY.best, this.quality + QUALITY.step);
  }
}

/** The device's camera, in the preview. */
class Lens {
  constructor(video) {
    this.video = video;
    this.stream = null;
    this.canvas = document.createElement("canvas");
    this.last = -1;
    this.opening = 0;
    this.wanted = 0;
  }

  async open(choice, side, fps) {
    this.close();
    const [kind, value] = choice.split(/:(.*)/s);
    const video = {
      width: { ideal: side }, height: { ideal: Math.round(side * 9 / 16) },
      frameRate: { ideal: Math.max(15, fps) },
      ...(kind === "device" ? { deviceId: { exact: value } } : {}),
      ...(kind === "facing" ? { facingMode: { ideal: value } } : {}),
    };
    this.wanted += 1;
    const mine = this.wanted;
    this.opening += 1;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (mine !== this.wanted) {
        for (const track of stream.getTracks()) track.stop();
        return; // another choice was made meanwhile
      }
      this.stream = stream;
      this.video.srcObject = stream;
      this.video.classList.toggle("mirror", this.settings().facingMode === "user");
      await this.video.play();
    } finally {
      this.opening -= 1;
    }
  }

  settings() {
    const [track] = this.stream ? this.stream.getVideoTracks() : [];
    return track ? track.getSettings() : {};
  }

  get alive() {
    return this.opening > 0 || Boolean(this.stream) && this.stream.getVideoTracks().some((track) => track.readyState === "live");
  }

  close() {
    this.wanted += 1;
    if (this.stream) for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.last = -1;
  }

  /** The picture as it is now as a JPEG; null when it is the same as before, or none yet. */
  async jpeg(side, quality) {
    const { videoWidth: width, videoHeight: height, currentTime } = this.video;
    if (!width || currentTime === this.last) return null;
    this.last = currentTime;
    const scale = Math.min(1, side / Math.max(width, height));
    this.canvas.width = Math.max(16, Math.round(width * scale));
    this.canvas.height = Math.max(16, Math.round(height * scale));
    this.canvas.getContext("2d", { alpha: false }).drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", quality));
  }
}

/** Sends frames until it is stopped. */
class Sender {
  constructor(lens, name, say) {
    this.lens = lens;
    this.name = name;
    this.say = say;
    this.session = crypto.randomUUID();
    this.clock = new Clock();
    this.effort = new Effort();
    this.abort = new AbortController();
    this.sent = 0;
    this.dropped = 0;
    this.tripMs = 0;
    this.times = [];
    this.problem = "";
  }

  get running() {
    return !this.abort.signal.aborted;
  }

  get fps() {
    const since = performance.now() - RATE_WINDOW_MS;
    this.times = this.times.filter((at) => at > since);
    return this.times.length * 1000 / RATE_WINDOW_MS;
  }

  stop() {
    this.abort.abort();
  }

  /** Resolves to why it ended: "" when it was stopped, else a sentence. */
  async run() {
    await this.clock.ask().catch(() => {});
    let due = performance.now();
    let failures = 0;
    let taken = 0;
    while (this.running) {
      const period = 1000 / Number(byId("own-fps").value);
      await sleep(Math.max(0, due - performance.now()));
      if (!this.running) break;
      if (document.hidden) {
        await this.shown();
        due = performance.now();
        continue;
      }
      if (!this.lens.alive) return "ended";
      const frame = await this.frame();
      if (!frame) {
        due = performance.now() + 10;
        continue;
      }
      const began = performance.now();
      const answer = await this.post(frame);
      if (!this.running) break;
      if (answer.ok) {
        this.tripMs = performance.now() - began;
        this.effort.took(this.tripMs, period);
        this.counted();
        failures = taken = 0;
        this.problem = "";
        this.say(this.effort.slow ? t("cameras.own_slow") : t("cameras.own_on", { name: this.name }));
      } else {
        this.dropped += 1;
        failures += 1;
        if (answer.status === 409) {
          // After a reload the page itself was that other device, until a few seconds later; and
          // the names of a producer that died, ours among them, are kept for ten.
          const another = answer.reason === "another-pusher";
          if (!another && !this.sent) return answer.detail;
          taken += 1;
          if (taken > (this.sent ? RETURN_TRIES : TAKEN_TRIES)) {
            return another ? t("cameras.own_taken", { name: this.name }) : answer.detail;
          }
        }
        if ([400, 401, 403, 415, 422].includes(answer.status)) return answer.detail;
        if (answer.status === 413) this.effort.less();
        this.problem = answer.detail;
        this.say(t("cameras.own_retry", { detail: answer.detail }), "bad");
        const soon = [409, 413, 429].includes(answer.status);
        const wait = soon ? WAIT_MS.soon : WAIT_MS.first * 2 ** (failures - 1);
        await sleep(Math.min(WAIT_MS.longest, wait));
      }
      const now = performance.now();
      const missed = Math.max(0, Math.floor((now - due) / period) - (answer.ok ? 0 : 1));
      if (answer.ok && missed > 0) this.dropped += missed;
      due = Math.max(due + period, now);
    }
    return "";
  }

  async frame() {
    const side = Number(byId("own-size").value) * this.effort.scale;
    const at = this.clock.now();
    const blob = await this.lens.jpeg(side, this.effort.quality);
    return blob && { blob, at };
  }

  async post({ blob, at }) {
    try {
      const response = await fetch(`/push/${encodeURIComponent(this.name)}`, {
        method: "POST",
        headers: {
          "Content-Type": "image/jpeg",
          "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content,
          "X-Captured-At": at.toISOString(),
          "X-Session": this.session,
        },
        body: blob,
        signal: this.abort.signal,
      });
      if (response.ok) {
        await response.arrayBuffer();
        return { ok: true };
      }
      const text = await response.text();
      const problem = text.startsWith("{") ? JSON.parse(text) : { detail: text.trim() };
      const detail = response.status === 401 ? t("base.logged_out") : problem.detail || t("base.failed");
      return { ok: false, status: response.status, reason: problem.reason, detail };
    } catch (error) {
      return { ok: false, status: 0, reason: "lost", detail: t("base.lost") };
    }
  }

  counted() {
    this.sent += 1;
    this.times.push(performance.now());
  }

  /** Waits until the page is in view again. */
  async shown() {
    this.say(t("cameras.own_paused"));
    await new Promise((resolve) => {
      const look = () => {
        if (document.hidden && this.running) return;
        document.removeEventListener("visibilitychange", look);
        resolve();
      };
      document.addEventListener("visibilitychange", look);
      this.abort.signal.addEventListener("abort", look);
    });
    if (this.running) this.say(t("cameras.own_hidden"));
  }
}

/** Keeps the screen on, as far as the browser lets it. */
class Awake {
  constructor() {
    this.lock = null;
    this.wanted = false;
    document.addEventListener("visibilitychange", () => this.wanted && !document.hidden && this.hold());
  }

  async hold() {
    this.wanted = true;
    try {
      this.lock = await navigator.wakeLock?.request("screen");
    } catch (error) {
      this.lock = null; // a low battery may forbid it
    }
  }

  release() {
    this.wanted = false;
    if (this.lock) this.lock.release();
    this.lock = null;
  }
}

// ---- the panel

const lens = new Lens(byId("own-preview"));
const awake = new Awake();
let sender = null;
let counting = null;

function say(text, tone = "") {
  put(byId("own-said"), text);
  byId("own-said").className = `said ${tone}`;
}

function why(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return t("cameras.own_refused");
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return t("cameras.own_no_camera");
  if (error.name === "NotReadableError" || error.name === "AbortError") return t("cameras.own_busy");
  return t("cameras.own_failed", { detail: error.message });
}

function count() {
  put(field("sent"), String(sender.sent));
  put(field("dropped"), String(sender.dropped));
  put(field("fps"), sender.fps.toFixed(1));
  put(field("delay"), sender.sent ? t("cameras.own_ms", { n: Math.round(sender.tripMs) }) : "–");
}

function running(on) {
  byId("own-start").hidden = on;
  byId("own-stop").hidden = !on;
  byId("own-name").disabled = on;
  byId("own-preview").hidden = !on;
  byId("own-empty").hidden = on;
  if (on) {
    byId("own-counters").hidden = false;
    awake.hold();
    counting = setInterval(count, 500);
  } else {
    byId("own-live").hidden = true;
    awake.release();
    clearInterval(counting);
  }
}

async function choose() {
  const select = byId("own-device");
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput" && one.deviceId);
  const chosen = select.value;
  for (const option of [...select.options].slice(3)) option.remove();
  devices.forEach((device, at) => {
    select.append(new Option(device.label || t("cameras.camera_n", { n: at + 1 }), `device:${device.deviceId}`));
  });
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

async function open() {
  const side = Number(byId("own-size").value);
  const fps = Number(byId("own-fps").value);
  try {
    await lens.open(byId("own-device").value, side, fps);
  } catch (error) {
    if (error.name !== "OverconstrainedError") throw error;
    byId("own-device").value = ""; // that camera is no longer there
    await lens.open("", side, fps);
  }
}

/** Opens the camera again after it was taken away; false when it was stopped meanwhile. */
async function reopen() {
  say(t("cameras.own_ended"), "bad");
  while (sender.running) {
    await sleep(WAIT_MS.first * 2);
    try {
      if (sender.running && !document.hidden) {
        await open();
        return sender.running;
      }
    } catch (error) {
      say(why(error), "bad");
    }
  }
  return false;
}

async function start() {
  const name = byId("own-name").value.trim();
  byId("own-start").disabled = true;
  say(t("cameras.own_asking"));
  try {
    await open();
  } catch (error) {
    lens.close();
    say(why(error), "bad");
    return;
  } finally {
    byId("own-start").disabled = false;
  }
  choose().catch(() => {});
  localStorage.setItem(NAME_KEY, name);
  sender = new Sender(lens, name, say);
  running(true);
  let ended = await sender.run();
  while (ended === "ended" && await reopen()) ended = await sender.run();
  count();
  const stopped = !sender.running;
  sender.stop();
  lens.close();
  running(false);
  if (stopped || !ended) say(t("cameras.own_stopped"));
  else say(ended, "bad");
}

/** "phone-3f", or "sam-phone" for somebody who logged in; the same again next time. */
function proposed() {
  const agent = navigator.userAgent;
  const kind = /iPad|Tablet/.test(agent) ? "tablet" : /Mobi|Android|iPhone/.test(agent) ? "phone" : "laptop";
  const visitor = byId("own-form").dataset.visitor.toLowerCase().replace(/[^a-z0-9_.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "");
  if (visitor) return `${visitor.slice(0, 40)}-${kind}`;
  const random = crypto.getRandomValues(new Uint8Array(1))[0].toString(16).padStart(2, "0");
  return `${kind}-${random}`;
}

function restart() {
  if (sender && sender.running) open().catch((error) => say(why(error), "bad"));
}

if (!window.isSecureContext || !navigator.mediaDevices) {
  byId("own-insecure").hidden = false;
} else {
  byId("own-form").hidden = false;
  byId("own-name").value = localStorage.getItem(NAME_KEY) || proposed();
  byId("own-form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    start();
  });
  choose().catch(() => {});
  byId("own-stop").addEventListener("click", () => sender.stop());
  byId("own-device").addEventListener("change", restart);
  byId("own-size").addEventListener("change", restart);
  byId("own-fps").addEventListener("input", () => put(byId("own-fps-now"), byId("own-fps").value));
  document.addEventListener("cameras", ({ detail }) => {
    if (!sender || !sender.running) return;
    const back = detail.cameras.find((camera) => camera.name === sender.name && camera.state === "running" && camera.seen);
    const link = byId("own-live");
    link.hidden = !back;
    if (back) link.href = `/camera/${encodeURIComponent(sender.name)}`;
  });
  window.addEventListener("pagehide", () => sender && sender.stop());
}
