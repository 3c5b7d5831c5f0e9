// Live pictures over one connection: browsers open six at most, and a wall has more cameras.

const RETRY_MS = 1000;
// As many pages of this browser have a connection that stays open; the others look in between.
const PLACES = 3;
// What the viewer sends over one connection.
const MOST = 64;
const GLANCE_MS = 2000;

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

/** Runs work in one of the places of this browser's pages; false when all are taken. */
async function inPlace(work) {
  if (!navigator.locks) return (await work(), true);
  for (let at = 0; at < PLACES; at += 1) {
    const had = await navigator.locks.request(`facestream.live.${at}`, { ifAvailable: true }, async (lock) => {
      if (lock) await work();
      return Boolean(lock);
    });
    if (had) return true;
  }
  return false;
}

/** The one connection that carries every picture in view. */
export class Pictures {
  /** `style` gives what pictures are asked for with, as `{ boxes: "0" }`. */
  constructor(style = () => ({})) {
    this.style = style;
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
    for (const img of seen.slice(0, MOST)) query.append(...img.dataset.channel.split(/:(.*)/s, 2));
    const widest = Math.max(...seen.map((img) => img.clientWidth));
    for (const [name, value] of Object.entries(this.style())) query.set(name, value);
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
      if (!await inPlace(() => this.follow(address, signal))) await this.glance(address, signal);
    } catch (error) {
      // The connection is gone, or was never there: once more.
    }
    if (signal.aborted) return;
    this.asked = "";
    this.soon(RETRY_MS);
  }

  /** Shows what comes, until the connection ends. */
  async follow(address, signal) {
    const bytes = new Bytes(await this.open(address, signal));
    for (;;) await this.next(bytes);
  }

  /** Shows each picture once. */
  async glance(address, signal) {
    const reader = await this.open(address, signal);
    const timer = setTimeout(() => reader.cancel(), GLANCE_MS);
    try {
      const bytes = new Bytes(reader);
      for (let left = Math.min(MOST, this.visible.size); left > 0; left -= 1) await this.next(bytes);
    } finally {
      clearTimeout(timer);
      reader.cancel();
    }
  }

  async open(address, signal) {
    const response = await fetch(address, { signal });
    if (!response.ok) throw new Error(`answer ${response.status}`);
    return response.body.getReader();
  }

  async next(bytes) {
    const head = JSON.parse(await bytes.line());
    const jpeg = await bytes.take(head.bytes);
    const screen = this.screens.get(`${head.kind}:${head.name}`);
    if (!screen) return;
    screen.show(new Blob([jpeg], { type: "image/jpeg" }));
    const owner = screen.img.closest(".tile, .single");
    if (owner) owner.classList.toggle("stale", !head.live);
  }
}
