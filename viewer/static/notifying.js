// Tells who comes while nobody looks at the page, where this browser was asked to.

import { events } from "./events.js";
import { byId, toast } from "./page.js";
import { t } from "./texts.js";

const KEY = "facestream.notify";
// Not the folder of this version: a worker belongs to its address, and a new one would be added to it.
const WORKER = "/assets/worker/notifier.js";

let worker = null;

async function started() {
  try {
    const registration = await navigator.serviceWorker.register(WORKER);
    const coming = registration.installing || registration.waiting;
    if (!registration.active) {
      await new Promise((resolve, reject) => {
        coming.addEventListener("statechange", () => {
          if (coming.state === "activated") resolve();
          if (coming.state === "redundant") reject(new Error("the worker did not start"));
        });
      });
    }
    return registration;
  } catch (error) {
    return null; // a private window, or a certificate that the browser does not trust
  }
}

/** Shows a notification; throws where this browser cannot. */
async function notify(options) {
  worker ??= started();
  const registration = await worker;
  if (registration) await registration.showNotification("facestream", options);
  else new Notification("facestream", options);
}

/** Brings the button to life; `whoOf` names whom an event is about. */
export function offerNotifications(whoOf) {
  const button = byId("notify");
  if (!button || !("Notification" in window)) return;
  const wanted = () => localStorage.getItem(KEY) === "1" && Notification.permission === "granted";
  const show = () => button.setAttribute("aria-pressed", String(wanted()));

  async function turnOn() {
    if (await Notification.requestPermission() !== "granted") return toast(t("live.notify_refused"), "bad");
    worker = started();
    try {
      // Without a worker nobody knows before whether it works.
      if (!await worker) await notify({ body: t("live.notify_on"), tag: "on" });
    } catch (error) {
      return toast(t("live.notify_impossible"), "bad");
    }
    localStorage.setItem(KEY, "1");
    toast(t("live.notify_on"));
  }

  async function tell(event) {
    if (!wanted() || !document.hidden || !event.type.endsWith("_enter")) return;
    try {
      await notify({
        body: t("live.comes", { who: whoOf(event), camera: event.camera }),
        // One per person: a second one replaces the first.
        tag: event.person ? event.person.slug : `unknown-${event.unknown}`,
        icon: event.crop ? `/sightings/${event.sighting}/crop.jpg` : undefined,
      });
    } catch (error) {
      localStorage.removeItem(KEY);
      show();
      toast(t("live.notify_impossible"), "bad");
    }
  }

  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    if (wanted()) localStorage.removeItem(KEY);
    else await turnOn();
    button.disabled = false;
    show();
  });
  show();
  events(tell, { unseen: wanted });
}
