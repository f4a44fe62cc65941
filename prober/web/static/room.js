// Counts the clocks down, and looks every few seconds whether the incident has changed. The page reads without it.
// Parts that changed are replaced, but for one in which somebody types; what was opened stays open.

const EVERY = 5000;
const shown = document.getElementById("refreshed");
const here = shown.querySelector("a").getAttribute("href"); // not this page's: it may be the answer to a form
const news = document.getElementById("news");
let ahead = Number(shown.dataset.now) * 1000 - Date.now(); // how far the server's clock is ahead of this one's
let tag = "";
let failed = 0;

function words(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.abs(Math.trunc(seconds));
  const parts = [];
  for (const [unit, size] of units) {
    const n = Math.floor(left / size);
    left %= size;
    if (n || parts.length || unit === "s") parts.push(`${n} ${unit}`);
  }
  return parts.join(" ");
}

function count() {
  const now = (Date.now() + ahead) / 1000;
  for (const one of document.querySelectorAll("[data-due]")) {
    const left = Number(one.dataset.due) - now;
    const text = left > 0 ? `in ${words(left)}` : `${words(left)} late`;
    if (one.textContent !== text) one.textContent = text;
    const line = one.closest("[data-clock]");
    if (line && left <= 0 && line.classList.contains("running")) {
      line.classList.replace("running", "late");
      line.querySelector(".state").textContent = "Late";
    }
  }
}

function busy(part) {
  if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button")) return true;
  // Whatever stands in a field was typed: now, or before a form came back with what was wrong.
  return [...part.querySelectorAll("input:not([type=hidden]), textarea, select")].some((field) => field.value);
}

function replace(old, fresh) {
  for (const open of old.querySelectorAll("details[id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (twin) twin.open = open.open;
  }
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  const path = focus && focus.closest("[id]") ? focus.closest("[id]").id : "";
  const summary = focus && focus.matches("summary");
  old.replaceWith(fresh);
  const again = path && document.getElementById(path);
  if (again) (summary ? again.querySelector("summary") : again).focus({ preventScroll: true });
}

// A countdown differs with every answer; it says nothing new.
function said(part) {
  const copy = part.cloneNode(true);
  for (const one of copy.querySelectorAll(".count")) one.textContent = "";
  for (const one of copy.querySelectorAll("details")) one.removeAttribute("open");
  return copy.outerHTML;
}

const before = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part.id, said(part)]));

function take(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  let kept = false;
  let changed = false;
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    const now = said(fresh);
    if (!old || before.get(fresh.id) === now) continue;
    if (busy(old)) {
      kept = true;
      continue;
    }
    before.set(fresh.id, now);
    replace(old, document.adoptNode(fresh));
    changed = true;
  }
  const stamp = page.getElementById("refreshed");
  if (stamp) ahead = Number(stamp.dataset.now) * 1000 - Date.now();
  if (changed) news.textContent = `The incident has changed: ${new Date(Date.now() + ahead).toISOString().slice(11, 19)} UTC.`;
  return kept;
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(here, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", credentials: "same-origin" });
    if (answer.status === 200) {
      const kept = take(await answer.text());
      tag = kept ? "" : answer.headers.get("ETag") || "";
    } else if (answer.status !== 304) {
      throw new Error(String(answer.status));
    }
    const now = new Date(Date.now() + ahead).toISOString();
    shown.textContent = `As of ${now.slice(0, 10)} ${now.slice(11, 19)} UTC; brought up to date every ${EVERY / 1000} s.`;
    if (failed > 1) news.textContent = "The prober answers again.";
    failed = 0;
  } catch {
    failed += 1;
    if (failed === 2) news.textContent = "The prober does not answer; what stands here may be old.";
  }
}

count();
window.setInterval(count, 1000);
window.setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
look();
