// The first start: swaps the list of samples while they are built, and shows the whole new page when they are done.

const EVERY_MS = 2000;

async function refresh() {
  const response = document.hidden ? null : await fetch(location.href).catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = page.querySelector("#seeding");
  if (next) document.querySelector("#seeding").replaceWith(next);
  else location.reload();
}

setInterval(refresh, EVERY_MS);
