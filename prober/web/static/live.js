// Lets the page of the last hour move: takes the events of /live and draws what they change.

import { Hour, clock } from "./hour.js";

const main = document.querySelector("main");
const line = document.getElementById("line");
const aloud = document.getElementById("aloud");
const asOf = document.getElementById("as-of");
const LOUD_AFTER = 3; // seconds that a channel's verdict must last before it is told
const SILENT = 10; // seconds without an event after which the page says so

const name = (service, channel, endpoint) => [service, channel ?? "", endpoint ?? ""].join("\n");
const hours = new Map();
for (const figure of document.querySelectorAll("figure.hour")) {
  const { service, channel, endpoint } = figure.dataset;
  hours.set(name(service, channel, endpoint), new Hour(figure));
}
for (const each of document.querySelectorAll(".scripted")) each.hidden = false;

let held = 0; // since which second it is held still; 0: it is not
let newest = Math.max(0, ...[...hours.values()].map((hour) => hour.end - 1));
let heard = Date.now();
let last = main.dataset.after;
let due = false;
const changed = new Set();

// drawing, at most once a frame, and not at all while nobody sees it

function draw() {
  due = false;
  if (held) return;
  if (changed.size) stamp();
  for (const hour of changed) hour.draw();
  changed.clear();
}

function soon() {
  if (due) return;
  due = true;
  requestAnimationFrame(draw);
}

// what is told aloud: a channel whose verdict has changed and stays so

const told = new Map([...hours.values()].map((hour) => [hour, hour.cell(hour.newest())?.verdict]));

function speak(hour) {
  if (hour.figure.dataset.endpoint) return;
  const second = hour.newest();
  const verdict = hour.cell(second)?.verdict;
  if (!verdict || verdict === told.get(hour)) return;
  let since = second;
  while (hour.cell(since - 1)?.verdict === verdict) since -= 1;
  if (second - since + 1 < LOUD_AFTER) return;
  told.set(hour, verdict);
  const service = hour.figure.closest(".service").querySelector("h2").textContent;
  aloud.textContent = `${service}, ${hour.title}: ${verdict} since ${clock(since)} UTC`;
}

// the events

function take(event) {
  heard = Date.now();
  last = event.lastEventId || last;
  const { service, second, series } = JSON.parse(event.data);
  for (const { channel, endpoint, cells, took } of series) {
    const hour = hours.get(name(service, channel, endpoint));
    if (hour) hour.take(cells, took);
  }
  for (const hour of hours.values()) {
    if (hour.figure.dataset.service !== service) continue;
    hour.reach(second + 1);
    changed.add(hour);
    speak(hour);
  }
  newest = Math.max(newest, second);
  soon();
}

// By the prober's clock, not by this one's.
function stamp() {
  const now = new Date((newest + 1) * 1000).toISOString();
  asOf.dateTime = `${now.slice(0, 19)}Z`;
  asOf.textContent = `${now.slice(0, 10)} ${now.slice(11, 19)} UTC`;
}

function say(words, state) {
  if (line.textContent !== words) line.textContent = words;
  line.className = state;
}

let events = null;

function open() {
  events = new EventSource(`/live?after=${encodeURIComponent(last)}`);
  events.addEventListener("open", () => {
    heard = Date.now();
    tell();
  });
  events.addEventListener("second", take);
  events.addEventListener("reset", () => {
    events.close();
    setTimeout(() => location.reload(), 2000);
  });
  events.addEventListener("error", () => {
    say("The line to the prober is broken; it is tried again.", "broken");
    if (events.readyState === EventSource.CLOSED) setTimeout(open, 15_000);
  });
}

function tell() {
  const silence = Math.round((Date.now() - heard) / 1000);
  if (events.readyState === EventSource.OPEN && silence >= SILENT) {
    say(`No second has closed for ${silence} s.`, "broken");
  } else if (events.readyState === EventSource.OPEN) {
    say(held ? `It is held still; newer seconds that wait: ${newest - held}.` : "It moves as time passes.", "moving");
  }
}

setInterval(tell, 1000);

const button = document.getElementById("hold");
button.hidden = false;
button.addEventListener("click", () => {
  held = held ? 0 : newest;
  button.setAttribute("aria-pressed", String(held > 0));
  tell();
  soon();
});

open();
