// One series' last hour: its seconds, how they are drawn, and the cursor that tells one of them.

const HOUR = 3600;
const VERDICTS = ["available", "unavailable", "inconclusive", "unmeasured"];
const SVG = "http://www.w3.org/2000/svg";

/** "14:03:07" of a UTC second. */
export const clock = (second) => new Date(second * 1000).toISOString().slice(11, 19);

export class Hour {
  constructor(figure) {
    this.figure = figure;
    this.title = figure.querySelector("h3").textContent;
    this.canvas = figure.querySelector(".canvas");
    this.svg = this.canvas.querySelector("svg");
    this.end = Number(figure.dataset.end);
    this.drawn = this.end; // as far as it is drawn; less than `end` while it is held still
    this.top = Math.floor((this.end - HOUR) / 60); // the unix minute of the first row; where the paths were drawn for
    this.cells = new Array(HOUR).fill(null); // by second modulo an hour
    this.minutes = new Map();
    this.cursor = null; // the second that the keys have chosen
    this.pointed = null; // the second under the pointer
    this.read(JSON.parse(figure.dataset.kinds), figure.dataset.runs, figure.dataset.took);
    this.follow();
  }

  read(kinds, runs, took) {
    const cells = kinds.map(([verdict, reason, calls, faults]) => ({ verdict, reason, calls, faults }));
    let second = this.end - HOUR;
    for (const run of runs ? runs.split(" ") : []) {
      const [kind, seconds] = run.split("*").map(Number);
      for (const stop = second + seconds; second < stop; second += 1) this.cells[second % HOUR] = cells[kind] ?? null;
    }
    for (const [minute, p50, p95, longest] of JSON.parse(took)) this.minutes.set(minute, { minute, p50, p95, longest });
  }

  /** Seconds of an event: [[first, seconds, verdict, reason, calls, faults]...]. */
  take(told, took) {
    for (const [first, seconds, verdict, reason, calls, faults] of told) {
      this.reach(first + seconds);
      const cell = { verdict, reason, calls, faults };
      for (let second = Math.max(first, this.end - HOUR); second < first + seconds; second += 1) {
        this.cells[second % HOUR] = cell;
      }
    }
    if (took) this.minutes.set(took.minute, took);
  }

  /** The hour ends with second `end` - 1; of new seconds nothing is known yet. */
  reach(end) {
    for (let second = Math.max(this.end, end - HOUR); second < end; second += 1) this.cells[second % HOUR] = null;
    this.end = Math.max(this.end, end);
  }

  /** The newest second of which something is known. */
  newest(end = this.end) {
    for (let second = end - 1; second >= end - 30; second -= 1) {
      if (this.cell(second)) return second;
    }
    return end - 1;
  }

  cell(second) {
    return second >= this.end - HOUR && second < this.end ? this.cells[second % HOUR] : null;
  }

  // drawing

  draw() {
    this.drawn = this.end;
    const paths = Object.fromEntries(VERDICTS.map((verdict) => [verdict, ""]));
    let first = this.end - HOUR;
    while (first < this.end) {
      const cell = this.cells[first % HOUR];
      let end = first + 1;
      while (end < this.end && this.cells[end % HOUR]?.verdict === cell?.verdict) end += 1;
      if (cell) paths[cell.verdict] += this.boxes(first, end);
      first = end;
    }
    const moving = this.svg.querySelector(".moving");
    for (const verdict of VERDICTS) {
      let path = moving.querySelector(`path.${verdict}`);
      if (!path && paths[verdict]) {
        path = moving.appendChild(document.createElementNS(SVG, "path"));
        path.setAttribute("class", verdict);
        path.setAttribute("fill", `url(#tile-${verdict})`);
      }
      path?.setAttribute("d", paths[verdict]);
    }
    this.bars();
    const shift = this.top - Math.floor((this.end - HOUR) / 60);
    for (const group of this.figure.querySelectorAll(".moving")) group.setAttribute("transform", `translate(0 ${shift})`);
    this.words();
    this.tell();
  }

  boxes(first, end) {
    let path = "";
    while (first < end) {
      const row = Math.floor(first / 60) - this.top;
      const column = first % 60;
      const rows = column === 0 ? Math.floor((end - first) / 60) : 0;
      const wide = Math.min(60 - column, end - first);
      path += rows ? `M0 ${row}h60v${rows}H0z` : `M${column} ${row}h${wide}v1h-${wide}z`;
      first += rows ? rows * 60 : wide;
    }
    return path;
  }

  bars() {
    const paths = { p50: "", p95: "", longest: "" };
    const oldest = Math.floor((this.end - HOUR) / 60);
    const place = (ms) => Math.round(Math.min(100, Math.max(0, 25 * Math.log10(Math.max(ms, 1)))) * 10) / 10;
    for (const [minute, took] of this.minutes) {
      if (minute < oldest) {
        this.minutes.delete(minute);
        continue;
      }
      const row = minute - this.top;
      const [a, b, c] = [place(took.p50), place(took.p95), place(took.longest)];
      paths.p50 += `M0 ${row}h${a}v1H0z`;
      paths.p95 += `M${a} ${row}h${b - a}v1H${a}z`;
      paths.longest += `M${c} ${row}h1v1h-1z`;
    }
    for (const [name, path] of Object.entries(paths)) this.figure.querySelector(`.took .${name}`).setAttribute("d", path);
    const newest = [...this.minutes.values()].pop();
    if (newest) {
      const { p50, p95, longest } = newest;
      this.figure.querySelector(".took-now").textContent =
        `Took ${p50} ms (median), ${p95} ms (95 of 100), ${longest} ms (longest).`;
    }
  }

  /** The newest second in words, and what the rows are. */
  words() {
    const cell = this.cell(this.newest());
    this.figure.classList.remove(...VERDICTS);
    if (cell) {
      this.figure.classList.add(cell.verdict);
      this.figure.querySelector(".verdict").textContent = cell.verdict[0].toUpperCase() + cell.verdict.slice(1);
      this.figure.querySelector(".reason").textContent = cell.verdict === "available" ? "" : cell.reason;
    }
    this.figure.querySelector(".oldest").textContent = clock(this.end - HOUR).slice(0, 5);
    this.figure.querySelector(".latest").textContent = clock(this.end - 1).slice(0, 5);
  }

  // the cursor

  follow() {
    const { canvas } = this;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "slider");
    canvas.setAttribute("aria-orientation", "horizontal");
    canvas.setAttribute("aria-label", `Seconds of ${this.title}`);
    this.svg.setAttribute("aria-hidden", "true");
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("pointermove", (event) => this.point(this.under(event)));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("click", (event) => {
      this.cursor = this.under(event) ?? this.cursor;
      this.tell();
    });
    this.mark = this.svg.querySelector(".moving").appendChild(document.createElementNS(SVG, "rect"));
    this.mark.setAttribute("class", "cursor");
    for (const side of ["width", "height"]) this.mark.setAttribute(side, "1");
    this.tell();
  }

  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * 60);
    const row = Math.floor(((event.clientY - box.top) / box.height) * 61);
    const second = (Math.floor((this.drawn - HOUR) / 60) + row) * 60 + Math.min(59, Math.max(0, column));
    return second >= this.drawn - HOUR && second < this.drawn ? second : null;
  }

  point(second) {
    this.pointed = second;
    this.tell();
  }

  key(event) {
    const from = this.cursor ?? this.newest(this.drawn);
    const steps = {
      ArrowLeft: () => from - 1,
      ArrowRight: () => from + 1,
      ArrowUp: () => from - 60,
      ArrowDown: () => from + 60,
      Home: () => this.drawn - HOUR,
      End: () => this.drawn - 1,
      PageUp: () => this.change(from, -1),
      PageDown: () => this.change(from, 1),
    };
    if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.pointed = null;
    this.cursor = Math.min(this.drawn - 1, Math.max(this.drawn - HOUR, steps[event.key]()));
    this.tell();
  }

  /** The next second, that way, whose verdict is another. */
  change(from, step) {
    const verdict = this.cell(from)?.verdict;
    let second = from;
    while (second + step >= this.drawn - HOUR && second + step < this.drawn) {
      second += step;
      if (this.cell(second)?.verdict !== verdict) return second;
    }
    return second;
  }

  /** Show the second that is pointed at, else the chosen one, else the newest. */
  tell() {
    if (this.cursor !== null) this.cursor = Math.max(this.cursor, this.drawn - HOUR);
    const second = this.pointed ?? this.cursor ?? this.newest(this.drawn);
    const words = `${clock(second)} UTC: ${describe(this.cell(second))}`;
    this.figure.querySelector(".readout").textContent = words;
    const chosen = this.cursor ?? this.newest(this.drawn);
    this.canvas.setAttribute("aria-valuemin", String(this.drawn - HOUR));
    this.canvas.setAttribute("aria-valuemax", String(this.drawn - 1));
    if (this.canvas.getAttribute("aria-valuenow") !== String(chosen)) {
      this.canvas.setAttribute("aria-valuenow", String(chosen));
    }
    this.canvas.setAttribute("aria-valuetext", `${clock(chosen)} UTC: ${describe(this.cell(chosen))}`);
    const shown = this.pointed ?? this.cursor;
    this.mark.toggleAttribute("hidden", shown === null);
    this.mark.setAttribute("visibility", shown === null ? "hidden" : "visible");
    this.mark.setAttribute("x", String(second % 60));
    this.mark.setAttribute("y", String(Math.floor(second / 60) - this.top));
  }
}

/** A cell in words. */
function describe(cell) {
  if (!cell) return "nothing is known yet";
  const calls = Object.entries(cell.faults).map(([fault, n]) => `${n} ${fault === "none" ? "succeeded" : fault}`);
  const why = cell.verdict === "available" ? "" : ` (${cell.reason})`;
  const made = cell.calls === 1 ? "1 call" : `${cell.calls} calls`;
  return `${cell.verdict}${why}, ${cell.calls ? `${made}: ${calls.join(", ")}` : "no call"}`;
}
