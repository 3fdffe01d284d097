"use strict";
// Charts as SVG: axes, lines, intervals, and points with tooltips for the mouse and the keyboard.
// What they show comes as a plan: axes, and series of points each with its text.
const page = (() => {
  const MARGIN = { top: 30, right: 28, bottom: 46, left: 58 };

  // Elements

  const create = (make) => (tag, attributes = {}, ...children) => {
    const element = make(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const html = create((tag) => document.createElement(tag));
  const svg = create((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));

  // Tooltip

  const tooltip = html("div", { class: "tooltip", role: "tooltip", hidden: "" });
  const hideTooltip = () => { tooltip.hidden = true; };

  function showTooltip(point) {
    tooltip.textContent = point.getAttribute("aria-label").replaceAll("; ", "\n");
    tooltip.hidden = false;
    const place = point.querySelector(".mark").getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const left = place.left + place.width / 2 - tooltip.offsetWidth / 2;
    const above = place.top - tooltip.offsetHeight - 2;
    const top = above >= 0 ? above : place.bottom + 2;
    tooltip.style.left = `${Math.max(4, Math.min(left, width - tooltip.offsetWidth - 4))}px`;
    tooltip.style.top = `${top + window.scrollY}px`;
  }

  // Scales: a function from values to pixels, with its ticks

  function linearScale(values, from, to, wanted) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = 0.06 * (high - low) || Math.abs(high) / 2 || 1;
    const start = low >= 0 ? Math.max(0, low - pad) : low - pad;
    const end = high + pad;
    const raw = (end - start) / Math.max(2, wanted);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const ticks = [];
    for (let n = Math.ceil(start / step - 1e-9); n * step <= end; n++) {
      ticks.push([n * step, (n * step).toFixed(digits)]);
    }
    const scale = (value) => from + ((value - start) / (end - start)) * (to - from);
    return { scale, ticks };
  }

  /** A logarithmic scale; nothing, which it cannot show, has a place of its own on the left. */
  function logScale(values, from, to, wanted, write) {
    const positive = values.filter((value) => value > 0);
    const zero = positive.length < values.length;
    const start = zero && positive.length ? from + 48 : from + 12;
    const logs = positive.length ? positive.map(Math.log10) : [0];
    const low = Math.min(...logs) - 0.1;
    const high = Math.max(...logs) + 0.1;
    const factors = high - low < 2 ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil((high - low) / wanted));
    const ticks = zero ? [[0, "0"]] : [];
    for (let power = Math.floor(low); positive.length && power <= high; power += every) {
      for (const factor of factors) {
        const value = Number(`${factor}e${power}`);
        const log = Math.log10(value);
        if (log >= low && log <= high) ticks.push([value, write(value)]);
      }
    }
    const scale = (value) =>
      value > 0 ? start + ((Math.log10(value) - low) / (high - low)) * (to - start) : from + 12;
    return { scale, ticks };
  }

  // One chart: axes, lines, intervals and points that can be reached by keyboard

  function drawChart(picture, plan) {
    const width = Math.max(280, picture.parentNode.clientWidth);
    const height = Math.round(Math.min(440, Math.max(300, 0.6 * width)));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const box = {
      left: MARGIN.left, right: width - MARGIN.right,
      top: MARGIN.top, bottom: height - MARGIN.bottom,
    };
    const points = plan.series.flatMap((series) => series.points);
    const reach = (low, high, middle) =>
      points.flatMap((p) => [p[low] ?? p[middle], p[middle], p[high] ?? p[middle]]);
    const across = (box.right - box.left) / 80;
    const xs = reach("xLow", "xHigh", "x");
    const x = plan.logarithmic
      ? logScale(xs, box.left, box.right, across, plan.writeX)
      : linearScale(xs, box.left, box.right, across);
    const ys = reach("yLow", "yHigh", "y");
    const y = linearScale(ys, box.bottom, box.top, (box.bottom - box.top) / 50);
    const layers = [drawAxes(plan, box, x, y)];
    if (plan.front.length) layers.push(drawFront(plan.front, box, x.scale, y.scale));
    layers.push(...plan.series.map((series) => drawSeries(series, x.scale, y.scale)));
    layers.push(drawLetters(plan.series, box, x.scale, y.scale));
    picture.replaceChildren(...layers);
    const first = picture.querySelector(".point");
    if (first) first.setAttribute("tabindex", "0");
  }

  function drawAxes(plan, box, x, y) {
    const axes = svg("g", { "aria-hidden": "true" });
    for (const [value, text] of x.ticks) {
      const at = x.scale(value);
      axes.append(
        svg("line", { class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom }),
        svg("text", { x: at, y: box.bottom + 16, "text-anchor": "middle" }, text),
      );
    }
    for (const [value, text] of y.ticks) {
      const at = y.scale(value);
      axes.append(
        svg("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }),
        svg("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, text),
      );
    }
    const { left, right, top, bottom } = box;
    axes.append(
      svg("path", { class: "axis", fill: "none", d: `M${left},${top}V${bottom}H${right}` }),
      svg("text", { x: right, y: bottom + 36, "text-anchor": "end" }, `${plan.x} →`),
      svg("text", { x: 2, y: 14 }, `↑ ${plan.y}`),
    );
    return axes;
  }

  function drawFront(front, box, x, y) {
    const sorted = [...front].sort((a, b) => a.x - b.x);
    const steps = sorted.map((point) => `V${y(point.y)}H${x(point.x)}`);
    const start = `M${box.left},${y(sorted[0].y)}`;
    return svg("path", { class: "front", d: `${start}${steps.join("")}V${box.bottom}` });
  }

  function drawSeries(series, x, y) {
    const group = svg("g", { class: `mark-${series.style.mark}` });
    if (series.line) {
      const path = series.points.map((point) => `${x(point.x)},${y(point.y)}`).join("L");
      group.append(svg("path", { class: `line dash-${series.style.dash}`, d: `M${path}` }));
    }
    for (const point of series.points) {
      const [left, top] = [x(point.x), y(point.y)];
      const bar = (low, high, line) => {
        if (low !== undefined) group.append(svg("line", { class: "interval", ...line }));
      };
      bar(point.xLow, point.xHigh, { x1: x(point.xLow), x2: x(point.xHigh), y1: top, y2: top });
      bar(point.yLow, point.yHigh, { x1: left, x2: left, y1: y(point.yLow), y2: y(point.yHigh) });
      const mark = svg("path", { class: "mark", d: series.style.shape });
      group.append(svg(
        "g",
        {
          class: "point", role: "img", tabindex: "-1", "aria-label": point.text,
          transform: `translate(${left} ${top})${series.line ? " scale(0.6)" : ""}`,
        },
        svg("circle", { class: "reach", r: series.line ? 14 : 12 }), mark,
      ));
    }
    return group;
  }

  /** One letter for each model, at its (last) line's end, where it covers no other if it can. */
  function drawLetters(seriesList, box, x, y) {
    const group = svg("g", { "aria-hidden": "true" });
    const last = new Map(seriesList.map((series) => [series.style.letter, series.points.at(-1)]));
    const ends = [...last].map(([letter, point]) => ({ letter, left: x(point.x), top: y(point.y) }));
    const taken = ends.map(({ left, top }) => [left, top]);
    const offsets = [[13, -9], [-13, -9], [13, 10], [-13, 10], [0, -16], [0, 17], [24, 0], [-24, 0]];
    for (const { letter, left, top } of ends) {
      const free = ([dx, dy]) =>
        left + dx < box.right + 20 && left + dx > box.left + 4 &&
        top + dy > box.top - 8 && top + dy < box.bottom - 4 &&
        taken.every(([a, b]) => Math.abs(a - left - dx) > 11 || Math.abs(b - top - dy) > 12);
      const [dx, dy] = offsets.find(free) ?? offsets[0];
      taken.push([left + dx, top + dy]);
      const at = { class: "letter", x: left + dx, y: top + dy + 4, "text-anchor": "middle" };
      group.append(svg("text", at, letter));
    }
    return group;
  }

  function legend(plan) {
    const shown = new Map(plan.series.map((series) => [series.name, series.style]));
    const items = [...shown].map(([name, style]) => html(
      "li", {},
      svg(
        "svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true", class: `mark-${style.mark}` },
        svg("path", { class: "mark", d: style.shape }),
      ),
      html("b", {}, style.letter), html("span", {}, name),
    ));
    return html("ul", { class: "legend", "aria-label": "Models in the chart" }, ...items);
  }

  /** Fill the place of a chart; returns the function that draws it anew. */
  function makeChart(host, choices, plan) {
    const selects = Object.entries(choices).map(([name, [label, options]]) => {
      const list = Object.entries(options).map(([value, text]) => html("option", { value }, text));
      const select = html("select", { name }, ...list);
      return [name, label, select];
    });
    const picture = svg("svg", { role: "group" });
    const below = html("div");
    const labels = selects.map(([, label, select]) => html("label", {}, label, select));
    const hint = html("p", { class: "hint" }, "Tab leads to the points, arrow keys from one to the next.");
    if (labels.length) host.append(html("div", { class: "controls" }, ...labels));
    // Listening is the frame's, as an SVG element that listens for focus can itself be focused.
    const frame = html("div", {}, picture);
    host.append(frame, below, hint);
    const draw = () => {
      hideTooltip();
      const chosen = Object.fromEntries(selects.map(([name, , select]) => [name, select.value]));
      const made = plan(chosen);
      const empty = made.series.every((series) => !series.points.length);
      picture.toggleAttribute("hidden", empty);
      picture.setAttribute("aria-label", `${made.y} by ${made.x}`);
      if (!empty) drawChart(picture, made);
      const about = empty ? "No model to show." : made.about;
      below.replaceChildren(legend(made), html("p", {}, about, leftOut(made.missing)));
    };
    for (const [, , select] of selects) select.addEventListener("change", draw);
    listen(frame);
    let width = 0;
    new ResizeObserver(() => {
      if (host.clientWidth !== width) draw();
      width = host.clientWidth;
    }).observe(host);
    return draw;
  }

  const leftOut = (names) => (names.length ? ` Not in the chart: ${names.join(", ")}.` : "");

  function listen(frame) {
    const pointOf = (event) => event.target.closest?.(".point");
    frame.addEventListener("pointerover", (event) => {
      if (pointOf(event)) showTooltip(pointOf(event));
    });
    frame.addEventListener("pointerout", (event) => {
      if (event.relatedTarget !== tooltip) hideTooltip();
    });
    frame.addEventListener("focusin", (event) => showTooltip(pointOf(event)));
    frame.addEventListener("focusout", hideTooltip);
    frame.addEventListener("keydown", (event) => {
      const points = [...frame.querySelectorAll(".point")];
      const here = points.indexOf(event.target);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const next = step ? here + step : { Home: 0, End: points.length - 1 }[event.key];
      if (!points[next]) return;
      event.preventDefault();
      points[here].setAttribute("tabindex", "-1");
      points[next].setAttribute("tabindex", "0");
      points[next].focus();
    });
  }

  document.body.append(tooltip);
  tooltip.addEventListener("pointerleave", hideTooltip);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTooltip();
  });
  return { html, makeChart };
})();
