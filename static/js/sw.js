// Service worker: one job, to show the offline page when a navigation finds no network. Served at /sw.js for the whole site.
"use strict";
const CACHE = "agentops-offline-1";
const OFFLINE = "/offline/";

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    const page = await fetch(OFFLINE, { cache: "reload" });
    const text = await page.clone().text();
    const assets = [...text.matchAll(/(?:href|src)="([^"#]*\/static\/[^"#]+)/g)].map((match) => match[1]);
    await cache.put(OFFLINE, page);
    await cache.addAll([...new Set(assets)]);
  })());
  self.skipWaiting();
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") {
    event.respondWith(fetch(event.request).catch(() => caches.match(OFFLINE)));
  } else if (event.request.method === "GET" && new URL(event.request.url).pathname.startsWith("/static/")) {
    event.respondWith(fetch(event.request).catch(async () => (await caches.match(event.request)) ?? Response.error()));
  }
});
