// "Load more": appends the next page's cards to this page's list. Without this script the link goes to that page.

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-more] a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  link.setAttribute("aria-disabled", "true");
  link.textContent = "Loading…";
  const response = await fetch(link.href).catch(() => null);
  if (!response?.ok) {
    link.removeAttribute("aria-disabled");
    link.textContent = "Could not load more. Try again";
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const cards = [...page.querySelectorAll("[data-list] > *")];
  document.querySelector("[data-list]").append(...cards);
  cards[0]?.focus();
  const more = link.closest("[data-more]");
  const next = page.querySelector("[data-more]");
  if (next) more.replaceWith(next);
  else more.remove();
});
