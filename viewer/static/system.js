// The System page: draws the charts, and keeps tables and findings up to date.

import { byId, put, showTimes } from "./page.js";
import { t } from "./texts.js";

const EVERY_MS = 2000;
const DOCTOR_EVERY_MS = 60000;
const WIDTH = 299;
const HEIGHT = 100;
const SVG = "http://www.w3.org/2000/svg";

// ---- values

const WRITE = {
  rate: (value) => value.toFixed(1),
  frames: (value) => value.toFixed(1),
  count: (value) => Math.round(value).toLocaleString(),
  ms: (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`),
  mb: (value) => (value < 1000 ? `${Math.round(value)} MB` : `${(value / 1000).toFixed(1)} GB`),
};

function written(value, unit) {
  return value === null || value === undefined ? t("system.no_value") : WRITE[unit](value);
}

/** The next round number above a value, so that a scale does not tremble. */
function roundAbove(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 7.5, 10].find((step) => step * power >= value) * power;
}

// ---- charts

const element = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.unit = figure.dataset.unit;
    this.svg = figure.querySelector("svg");
    this.lines = [...figure.querySelectorAll("[data-series]")].map((item, index) => {
      const area = element("path", { class: `area line-${index + 1}` });
      const line = element("path", { class: `stroke line-${index + 1}` });
      return { series: item.dataset.series, label: item.querySelector("span").textContent, value: item.querySelector("b"), area, line };
    });
    for (const part of [0.25, 0.5, 0.75]) {
      this.svg.append(element("line", { class: "rule", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
    }
    for (const { area } of this.lines) this.svg.append(area);
    for (const { line } of this.lines) this.svg.append(line);
    this.cursor = element("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: HEIGHT });
    this.svg.append(this.cursor);
    this.at = null;
    this.system = null;
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.show(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    });
    this.svg.addEventListener("pointerleave", () => this.show(null));
  }

  draw(system) {
    this.system = system;
    const values = this.lines.map(({ series }) => system.series[series] || []);
    const most = Math.max(0, ...values.flat().filter((value) => value !== null));
    const top = roundAbove(most);
    put(this.figure.querySelector(".top-of"), written(top, this.unit === "rate" && top >= 10 ? "count" : this.unit));
    this.lines.forEach(({ area, line }, index) => {
      const runs = runsOf(values[index], top);
      line.setAttribute("d", runs.map((run) => `M${run.join("L")}`).join(""));
      area.setAttribute("d", runs.map((run) => `M${run[0].split(",")[0]},${HEIGHT}L${run.join("L")}L${run.at(-1).split(",")[0]},${HEIGHT}Z`).join(""));
    });
    const said = this.lines.map(({ series, label }) => `${label} ${written(system.figures[series], this.unit)}`);
    this.svg.setAttribute("aria-label", t("system.summary", { title: this.figure.dataset.title, values: said.join(", ") }));
    this.write();
  }

  show(share) {
    this.at = share;
    this.write();
  }

  write() {
    if (!this.system) return;
    const length = this.system.series[this.lines[0].series].length;
    const index = this.at === null ? null : Math.round(this.at * (length - 1));
    this.cursor.classList.toggle("shown", index !== null);
    if (index !== null) {
      const x = (index / (length - 1)) * WIDTH;
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
    const seconds = index === null ? 0 : (length - 1 - index) * this.system.step_s;
    const ago = seconds < 120 ? t("system.ago", { n: seconds }) : t("system.minutes_ago", { n: (seconds / 60).toFixed(1) });
    put(this.figure.querySelector(".at"), index === null ? "" : ago);
    for (const { series, value } of this.lines) {
      const now = index === null ? this.system.figures[series] : this.system.series[series][index];
      put(value, written(now, this.unit));
    }
  }
}

/** The points of a line as "x,y", broken where nothing is known. */
function runsOf(values, top) {
  const runs = [];
  let run = [];
  values.forEach((value, index) => {
    if (value === null) {
      if (run.length) runs.push(run);
      run = [];
      return;
    }
    const x = (index / (values.length - 1)) * WIDTH;
    run.push(`${x.toFixed(1)},${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`);
  });
  if (run.length) runs.push(run);
  return runs.map((points) => (points.length > 1 ? points : [points[0], points[0]]));
}

function fillFigures(system) {
  for (const row of document.querySelectorAll("#figures tr[data-series]")) {
    const { series, unit } = row.dataset;
    const known = (system.series[series] || []).filter((value) => value !== null);
    const mean = known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    const cells = [
      system.figures[series],
      known.length ? Math.min(...known) : null,
      mean,
      known.length ? Math.max(...known) : null,
    ];
    row.querySelectorAll("td").forEach((cell, index) => put(cell, written(cells[index], unit)));
  }
}

// ---- tables: what the server renders, put in place without disturbing focus or open details

function morph(old, fresh) {
  const wanted = [...fresh.childNodes];
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
  wanted.forEach((node, index) => {
    const there = old.childNodes[index];
    if (!there) {
      old.append(document.importNode(node, true));
    } else if (there.nodeName !== node.nodeName || (there.id || "") !== (node.id || "")) {
      there.replaceWith(document.importNode(node, true));
    } else if (node.nodeType === Node.TEXT_NODE) {
      if (there.data !== node.data) there.data = node.data;
    } else if (node.nodeName !== "TIME" || there.getAttribute("datetime") !== node.getAttribute("datetime")) {
      alike(there, node);
      morph(there, node);
    }
  });
}

function alike(there, node) {
  for (const { name, value } of [...node.attributes]) {
    if (there.getAttribute(name) !== value) there.setAttribute(name, value);
  }
  for (const { name } of [...there.attributes]) {
    if (!node.hasAttribute(name) && name !== "open") there.removeAttribute(name);
  }
}

async function fetched(address, kind) {
  const response = await fetch(address, { headers: { Accept: kind } });
  if (response.status === 401 || response.redirected) {
    location.reload();
    return null;
  }
  return response.ok ? response : null;
}

async function refreshPart(address, id) {
  const response = await fetched(address, "text/html");
  if (!response) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").body;
  morph(byId(id), fresh);
  showTimes(byId(id));
}

// ---- all together

const charts = [...document.querySelectorAll(".chart")].map((figure) => new Chart(figure));

async function refresh() {
  const response = await fetched("/api/system.json", "application/json");
  if (!response) return;
  const system = await response.json();
  for (const chart of charts) chart.draw(system);
  fillFigures(system);
  await refreshPart("/system/now", "now");
}

async function look() {
  const button = byId("look-again");
  button.setAttribute("aria-busy", "true");
  try {
    await refreshPart("/system/doctor", "doctor");
    tell();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** The verdict beside the title, from the findings. */
function tell() {
  const verdict = byId("verdict");
  const source = byId("doctor").querySelector("[data-verdict]");
  if (source) morph(verdict, source);
}

/** Again and again while the page is looked at; a fault of the network only makes a pause. */
function forever(work, everyMs) {
  const step = async () => {
    if (!document.hidden) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // what fetch throws when the viewer is away
      }
    }
    setTimeout(step, everyMs);
  };
  step();
}

byId("look-again").hidden = false;
byId("look-again").addEventListener("click", look);
forever(refresh, EVERY_MS);
forever(look, DOCTOR_EVERY_MS);
