// Keeps the console's first page current: fetches the same fragment again while somebody looks at it.

const EVERY_MS = 3000;
const place = document.querySelector("#console-now");

async function refresh() {
  if (document.hidden || place.contains(document.activeElement)) return;
  const response = await fetch(place.dataset.refresh, { redirect: "error" }).catch(() => null);
  if (response?.ok) place.innerHTML = await response.text();
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
