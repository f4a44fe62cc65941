// The status page without scripts is whole. With them, it renews itself, and the days of a row are one stop of the Tab key,
// between which the arrow keys go.

const EVERY = 30_000;

function oneStop(row) {
  const days = [...row.children];
  const go = (to) => {
    const shown = days.filter((day) => day.offsetParent !== null);
    const next = shown[Math.max(0, Math.min(shown.length - 1, to(shown, shown.indexOf(document.activeElement))))];
    days.forEach((day) => { day.tabIndex = day === next ? 0 : -1; });
    next?.focus();
  };
  days.forEach((day, place) => { day.tabIndex = place === days.length - 1 ? 0 : -1; });
  row.addEventListener("keydown", (event) => {
    const to = {
      ArrowLeft: (_, at) => at - 1,
      ArrowRight: (_, at) => at + 1,
      Home: () => 0,
      End: (shown) => shown.length - 1,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      go(to);
    }
  });
}

function prepare() {
  document.querySelectorAll(".days").forEach(oneStop);
}

async function renew() {
  const main = document.querySelector("main");
  // Whoever is reading a day's figures or selecting text is not disturbed.
  if (document.hidden || main.matches(":hover") && main.querySelector(".days:hover") || main.contains(document.activeElement)) return;
  if (String(document.getSelection()) !== "") return;
  const answer = await fetch("/", { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  if (fresh === null) return;
  main.replaceWith(document.adoptNode(fresh));
  document.title = page.title;
  prepare();
}

prepare();
setInterval(() => { renew().catch(() => {}); }, EVERY); // no answer: what is shown says as of when it is
