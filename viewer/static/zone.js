// Tells the server the reader's time zone, once: from then on its pages are made in it.

const KEEP_S = 31536000;

/** Asks for the page again in the reader's own zone, if it is in another and that is news. */
export function ownZone(shown) {
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  if (!/^[A-Za-z0-9_+/-]{1,64}$/.test(mine) || mine === shown) return;
  const cookie = `zone=${mine}`;
  const known = () => document.cookie.split("; ").includes(cookie);
  if (known()) return; // the server does not know that zone
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${cookie}; Path=/sightings; Max-Age=${KEEP_S}; SameSite=Lax${secure}`;
  if (known()) location.reload();
}
