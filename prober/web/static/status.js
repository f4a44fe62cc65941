// The status page without scripts is whole. With them, it renews itself, says when it cannot, and the days of a row are one
// stop of the Tab key, between which the arrow keys go.

const EVERY = 30_000;
const PATIENCE = 2 * 60_000; // so long it waits for whoever is reading, and before it says that it is old

const stale = document.getElementById("stale");
let renewed = Date.now();

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

// Whoever is reading a day's figures or selecting text is not disturbed at once.
function read(main) {
  return main.querySelector(".days:hover") !== null || main.contains(document.activeElement) || String(document.getSelection()) !== "";
}

// What has the focus: a day by its row and its place, a link by where it leads.
function focused(main) {
  const one = document.activeElement;
  if (!main.contains(one)) return () => null;
  const row = one.closest(".days");
  if (row === null) return (fresh) => [...fresh.querySelectorAll("a")].find((each) => each.href === one.href);
  const place = [...row.children].indexOf(one);
  return (fresh) => [...fresh.querySelectorAll(".days")].find((each) => each.ariaLabel === row.ariaLabel)?.children[place];
}

function take(page, main) {
  const fresh = page.querySelector("main");
  if (fresh === null) return;
  const focus = focused(main);
  main.replaceWith(document.adoptNode(fresh));
  document.title = page.title;
  prepare();
  const again = focus(fresh);
  if (again) {
    again.closest(".days")?.querySelectorAll("li").forEach((day) => { day.tabIndex = day === again ? 0 : -1; });
    again.focus({ preventScroll: true });
  }
  renewed = Date.now();
}

async function renew() {
  const main = document.querySelector("main");
  if (document.hidden || (read(main) && Date.now() - renewed < PATIENCE)) return;
  try {
    const answer = await fetch("/", { headers: { Accept: "text/html" } });
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"), main);
  } catch {
    // told below
  }
  const old = Date.now() - renewed;
  const words = old < PATIENCE ? "" : "This page cannot be brought up to date at the moment: what stands here may have changed since.";
  if (stale.textContent !== words) stale.textContent = words;
}

prepare();
setInterval(renew, EVERY);
document.addEventListener("visibilitychange", renew);
window.addEventListener("pageshow", (event) => { if (event.persisted) renew(); });
