"use strict";
// Sorting, download, filters and the charts of each board. Names of models are foreign text: they only ever
// become text nodes and attributes, never markup.
(() => {
  const { html, makeChart } = page;
  const TASKS = { rec: "Recommendation", search: "Search" };
  const SHAPES = {
    circle: "M-5.5,0a5.5,5.5 0 1,0 11,0a5.5,5.5 0 1,0 -11,0Z",
    square: "M-5,-5H5V5H-5Z",
    triangle: "M0,-6.5L6,4.5H-6Z",
    diamond: "M0,-7L6,0L0,7L-6,0Z",
    cross: "M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    wedge: "M0,6.5L6,-4.5H-6Z",
  };
  const MARKS = 5; // colours in the style sheet; with six shapes, thirty models look different

  // Tables

  function makeSortable(table) {
    for (const head of table.tHead.rows[0].cells) {
      const button = html("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sortBy(table, head));
    }
  }

  function sortBy(table, head) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const cellOf = (row) => row.cells[head.cellIndex];
    const numeric = rows.some((row) => "value" in cellOf(row).dataset);
    // The first click shows what one looks for: the largest numbers, or the start of the alphabet.
    const first = numeric ? "descending" : "ascending";
    const second = numeric ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [left, right] = [cellOf(a), cellOf(b)];
      if (!numeric) return sign * left.textContent.localeCompare(right.textContent, "en");
      const [lacksLeft, lacksRight] = [left, right].map((cell) => !("value" in cell.dataset));
      if (lacksLeft || lacksRight) return lacksLeft - lacksRight;
      return sign * (Number(left.dataset.value) - Number(right.dataset.value));
    };
    body.append(...rows.sort(compare));
  }

  /** Offer a table as a file of comma-separated values, figures as exact as the page has them. */
  function makeDownload(table) {
    const title = table.caption.textContent;
    const button = html("button", { type: "button", class: "download" }, "Download as CSV");
    button.setAttribute("aria-label", `Download as CSV: ${title}`);
    button.addEventListener("click", () => {
      const file = new Blob([csvOf(table)], { type: "text/csv" });
      const address = URL.createObjectURL(file);
      const name = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
      html("a", { href: address, download: `${name}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    });
    table.parentNode.after(button);
  }

  function csvOf(table) {
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const valueOf = (cell) => {
      const copy = cell.cloneNode(true);
      for (const letters of copy.querySelectorAll(".tiers")) letters.remove();
      return "value" in cell.dataset ? cell.dataset.value : copy.textContent.trim();
    };
    const rows = [...table.rows].filter((row) => !row.hidden);
    return rows.map((row) => `${[...row.cells].map((cell) => quoted(valueOf(cell))).join(",")}\r\n`).join("");
  }

  // Numbers, as the tables write them

  const score = (value) => value.toFixed(4);
  const whole = (value) => value.toLocaleString("en");
  const duration = (seconds) =>
    seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
  const milliseconds = (seconds) => `${(1000 * seconds).toFixed(2)} ms`;

  function shortCount(value) {
    if (value >= 1e9) return `${value / 1e9}G`;
    if (value >= 1e6) return `${value / 1e6}M`;
    return value >= 1e3 ? `${value / 1e3}k` : `${value}`;
  }

  function shortTime(seconds) {
    if (seconds === 0) return "0";
    if (seconds < 1e-3) return `${Number((1e6 * seconds).toPrecision(3))} µs`;
    return seconds < 1 ? `${Number((1e3 * seconds).toPrecision(3))} ms` : `${whole(seconds)} s`;
  }

  // The three charts of a board

  /** Give each model its letter, shape and colour, the same in every chart of the board. */
  function stylesOf(board) {
    const rows = Object.values(board.tables).flat();
    const names = new Set([...rows, ...board.curves].map((each) => each.model));
    const shapes = Object.values(SHAPES);
    const letter = (n) => (n < 26 ? "" : letter(Math.floor(n / 26) - 1)) + String.fromCharCode(65 + (n % 26));
    return new Map([...names].map((name, n) => [name, {
      letter: letter(n), shape: shapes[n % shapes.length], mark: n % MARKS, dash: n % 3,
    }]));
  }

  const known = (row) => row && row.mean !== null;
  const interval = (row) =>
    row.low === null ? "" : ` (${score(row.low)} to ${score(row.high)})`;
  const reachOf = (row, axis) =>
    row.low === null ? {} : { [`${axis}Low`]: row.low, [`${axis}High`]: row.high };

  function jointPlan(board, styles, visible) {
    const rows = (task) => new Map((board.tables[task] ?? []).map((row) => [row.model, row]));
    const [recs, searches] = [rows("rec"), rows("search")];
    const names = [...styles.keys()].filter((name) => visible(name));
    const both = names.filter((name) => known(recs.get(name)) && known(searches.get(name)));
    const series = both.map((name) => {
      const [rec, search] = [recs.get(name), searches.get(name)];
      const text = [
        `${styles.get(name).letter}: ${name}`,
        `Recommendation ${score(rec.mean)}${interval(rec)}`,
        `Search ${score(search.mean)}${interval(search)}`,
        ...(board.front.includes(name) ? ["on the Pareto front"] : []),
      ].join("; ");
      const point = {
        x: rec.mean, y: search.mean, text, ...reachOf(rec, "x"), ...reachOf(search, "y"),
      };
      return { name, style: styles.get(name), points: [point] };
    });
    const front = series.filter(({ name }) => board.front.includes(name)).map((s) => s.points[0]);
    return {
      x: "Recommendation NDCG@10", y: "Search NDCG@10", series, front,
      about: "Bars are 95% intervals; the dotted line is the Pareto front, of models "
        + "than which none is as good in both tasks and better in one.",
      missing: names.filter((name) => !both.includes(name) && (recs.has(name) || searches.has(name))),
    };
  }

  const COSTS = {
    parameters: { text: "Parameters", write: whole, short: shortCount },
    fit_seconds: { text: "Training time", write: duration, short: shortTime },
    seconds_per_request: { text: "Time per request", write: milliseconds, short: shortTime },
  };

  function costPlan(board, styles, visible, { task, cost }) {
    const { text: label, write, short } = COSTS[cost];
    const rows = board.tables[task].filter((row) => visible(row.model));
    const shown = rows.filter((row) => known(row) && row[cost] !== null);
    const series = shown.map((row) => {
      const style = styles.get(row.model);
      const quality = `${TASKS[task]} NDCG@10 ${score(row.mean)}${interval(row)}`;
      const text = `${style.letter}: ${row.model}; ${quality}; ${label}: ${write(row[cost])}`;
      return {
        name: row.model, style,
        points: [{ x: row[cost], y: row.mean, text, ...reachOf(row, "y") }],
      };
    });
    return {
      x: label, y: `${TASKS[task]} NDCG@10`, series, front: [], logarithmic: true, writeX: short,
      about: "Bars are 95% intervals; the cost is on a logarithmic scale.",
      missing: rows.filter((row) => !shown.includes(row)).map((row) => row.model),
    };
  }

  const WIDE = 30; // times the least: where a linear scale would press most points together
  const PROGRESS = { seconds: "Training time (s)", step: "Step" };

  function curvesPlan(board, styles, visible, { task, progress }) {
    const names = [...styles.keys()].filter((name) => visible(name));
    const curves = names.flatMap((name) => board.curves.filter((curve) => curve.model === name));
    const series = curves.map((curve) => {
      const style = styles.get(curve.model);
      const points = curve.points
        .filter((point) => Number.isFinite(point[task]) && Number.isFinite(point[progress]))
        .map((point) => ({
          x: point[progress], y: point[task],
          text: `${style.letter}: ${curve.model}, seed ${curve.seed}; `
            + `${TASKS[task]} ${score(point[task])}; `
            + `step ${point.step ?? "unknown"}; ${duration(point.seconds)}`,
        }));
      return { name: curve.model, style, points, line: true };
    }).filter((each) => each.points.length);
    const along = series.flatMap((each) => each.points.map((point) => point.x)).filter((x) => x > 0);
    const wide = Math.max(...along) > WIDE * Math.min(...along);
    return {
      logarithmic: wide, writeX: progress === "seconds" ? shortTime : shortCount,
      x: PROGRESS[progress], y: `Validation NDCG@10, ${TASKS[task].toLowerCase()}`, series,
      front: [],
      about: "One line for each seed; the letter of its model stands at the end of one."
        + (wide ? " The scale from left to right is logarithmic." : ""),
      missing: [],
    };
  }

  // The page

  function chartsOf(section, board, visible) {
    const styles = stylesOf(board);
    const pick = (all, found) => Object.fromEntries(Object.entries(all).filter(([key]) => found(key)));
    const costs = Object.fromEntries(Object.entries(COSTS).map(([key, cost]) => [key, cost.text]));
    const learned = (task) => board.curves.some((curve) => curve.points.some((p) => task in p));
    const kinds = {
      joint: [{}, jointPlan],
      cost: [{
        task: ["Task", pick(TASKS, (task) => task in board.tables)], cost: ["Cost", costs],
      }, costPlan],
      curves: [{ task: ["Task", pick(TASKS, learned)], progress: ["Against", PROGRESS] }, curvesPlan],
    };
    return [...section.querySelectorAll("[data-chart]")].map((host) => {
      const [choices, plan] = kinds[host.dataset.chart];
      return makeChart(host, choices, (chosen) => plan(board, styles, visible, chosen));
    });
  }

  // Which models are shown

  const ANY = "";
  const SERVES = {
    [ANY]: "Any", both: "Search and recommendation", rec: "Recommendation only", search: "Search only",
  };
  const SIZES = { [ANY]: "Any", 1e5: "At most 100,000", 1e6: "At most 1 million", 1e7: "At most 10 million" };
  const TIMES = { [ANY]: "Any", 60: "At most 1 minute", 600: "At most 10 minutes", 3600: "At most 1 hour" };

  /** Tell of each model which tasks it was asked, and its size and time of training. */
  function traitsOf(board) {
    const traits = new Map();
    for (const [task, rows] of Object.entries(board.tables)) {
      for (const row of rows) {
        const known = traits.get(row.model) ?? { tasks: [], size: row.parameters, time: row.fit_seconds };
        known.tasks.push(task);
        traits.set(row.model, known);
      }
    }
    return traits;
  }

  function makeFilter(section, board) {
    const traits = traitsOf(board);
    const input = html("input", { type: "search", autocomplete: "off", name: "name" });
    const choice = (name, options) => html(
      "select", { name },
      ...Object.entries(options).sort(([a], [b]) => a - b).map(([value, text]) => html("option", { value }, text)),
    );
    const [serves, size, time] = [choice("serves", SERVES), choice("size", SIZES), choice("time", TIMES)];
    const labels = [
      ["Only models whose name contains", input], ["Serves", serves], ["Parameters", size], ["Training time", time],
    ].map(([text, control]) => html("label", {}, text, control));
    section.querySelector("[data-filter]").append(html("div", { class: "controls" }, ...labels));
    const within = (value, most) => most === ANY || (value !== null && value <= Number(most));
    const visible = (name) => {
      if (!name.toLowerCase().includes(input.value.trim().toLowerCase())) return false;
      const known = traits.get(name) ?? { tasks: [], size: null, time: null };
      const kind = known.tasks.length > 1 ? "both" : known.tasks[0];
      return (serves.value === ANY || serves.value === kind)
        && within(known.size, size.value) && within(known.time, time.value);
    };
    return { visible, controls: [input, serves, size, time] };
  }

  function applyFilter(section, visible, redraw) {
    for (const row of section.querySelectorAll("table[data-models] tbody tr")) {
      const names = [...row.querySelectorAll("th")].map((cell) => cell.dataset.model ?? cell.textContent);
      row.hidden = !names.some(visible);
    }
    for (const draw of redraw) draw();
  }

  function makeBoard(section, board) {
    const { visible, controls } = makeFilter(section, board);
    const redraw = chartsOf(section, board, visible);
    for (const control of controls) {
      const event = control.tagName === "SELECT" ? "change" : "input";
      control.addEventListener(event, () => applyFilter(section, visible, redraw));
    }
  }

  function unfoldForPrint() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      for (const each of opened) each.open = true;
    });
    window.addEventListener("afterprint", () => {
      for (const each of opened) each.open = false;
    });
  }

  const boards = JSON.parse(document.getElementById("data").textContent);
  for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;
  document.querySelectorAll("table").forEach(makeDownload);
  document.querySelectorAll("table").forEach(makeSortable);
  for (const section of document.querySelectorAll("[data-board]")) {
    makeBoard(section, boards[Number(section.dataset.board)]);
  }
  unfoldForPrint();
})();
