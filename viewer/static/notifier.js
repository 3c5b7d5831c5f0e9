// The worker that shows notifications: Chromium on Android lets no page show one itself.
// It has the same address in every version, has no part in loading pages, and keeps nothing.

self.addEventListener("notificationclick", (click) => {
  click.notification.close();
  click.waitUntil((async () => {
    const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
    const live = pages.find(({ url }) => new URL(url).pathname === "/");
    if (live) await live.focus();
    else await clients.openWindow("/");
  })());
});
