// The dialog that takes photos with the browser's camera.

import { byId, put } from "./page.js";
import { t } from "./texts.js";

const COUNT_FROM = 3;
const QUALITY = 0.92;
const FLASH_MS = 120;
const WANTED = { video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false };

function problemOf(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return t("people.camera_refused");
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return t("people.camera_none");
  return t("people.camera_failed");
}

function frameOf(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

function sayCount(shots) {
  byId("use-shots").disabled = !shots.length;
  put(byId("shots-said"), shots.length === 1 ? t("people.taken_1") : t("people.taken", { n: shots.length }));
}

/** A thumbnail with a button that takes it away; `gone` is told. */
export function thumbnail(file, label, gone) {
  const item = document.createElement("li");
  const picture = document.createElement("img");
  Object.assign(picture, { alt: file.name, width: 96, height: 96, src: URL.createObjectURL(file) });
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
  const away = document.createElement("button");
  away.type = "button";
  away.className = "button icon-only";
  away.setAttribute("aria-label", label);
  away.append(byId("close-icon").content.cloneNode(true));
  away.addEventListener("click", () => {
    item.remove();
    gone();
  });
  item.append(picture, away);
  return item;
}

/** Opens the camera; resolves to the photos that were taken, none when it was dismissed. */
export async function takePhotos() {
  const dialog = byId("camera-dialog");
  const video = byId("camera-preview");
  const problem = byId("camera-problem");
  const buttons = [byId("shoot"), byId("shoot-soon")];
  const shots = [];
  let taken = 0;
  let timer = null;
  let stream = null;

  const count = (left) => {
    put(byId("countdown"), left ? String(left) : "");
    if (left) timer = setTimeout(() => count(left - 1), 1000);
    else shoot();
  };
  const soon = () => {
    clearTimeout(timer);
    count(COUNT_FROM);
  };
  const shoot = async () => {
    const blob = await frameOf(video);
    if (!blob || !dialog.open) return;
    taken += 1;
    const file = new File([blob], t("people.shot", { n: taken }), { type: "image/jpeg" });
    shots.push(file);
    byId("viewfinder").classList.add("flash");
    setTimeout(() => byId("viewfinder").classList.remove("flash"), FLASH_MS);
    byId("shots").append(thumbnail(file, t("people.retake", { n: taken }), () => {
      shots.splice(shots.indexOf(file), 1);
      sayCount(shots);
      byId("shoot").focus();
    }));
    sayCount(shots);
  };
  const use = () => dialog.close("use");

  byId("shots").replaceChildren();
  put(byId("shots-said"), "");
  byId("use-shots").disabled = true;
  problem.hidden = true;
  for (const each of buttons) each.disabled = true;
  dialog.returnValue = "";
  dialog.showModal();
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  byId("shoot").addEventListener("click", shoot);
  byId("shoot-soon").addEventListener("click", soon);
  byId("use-shots").addEventListener("click", use);
  try {
    if (!navigator.mediaDevices) {
      problem.textContent = t("people.camera_insecure");
      problem.hidden = false;
    } else {
      stream = await navigator.mediaDevices.getUserMedia(WANTED);
      if (dialog.open) {
        video.srcObject = stream;
        await video.play();
        for (const each of buttons) each.disabled = false;
        byId("shoot").focus();
      }
    }
  } catch (error) {
    problem.textContent = problemOf(error);
    problem.hidden = false;
  }
  await closed;
  clearTimeout(timer);
  put(byId("countdown"), "");
  byId("shoot").removeEventListener("click", shoot);
  byId("shoot-soon").removeEventListener("click", soon);
  byId("use-shots").removeEventListener("click", use);
  video.srcObject = null;
  if (stream) for (const track of stream.getTracks()) track.stop();
  return dialog.returnValue === "use" ? shots : [];
}
