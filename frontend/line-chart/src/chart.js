/**
 * Draws an answer with figures over time, a line for each value of a category, and a table.
 *
 * `drawLineChart(element, answer, {theme, locale, variables, level})` draws into an open shadow root of `element`
 * and returns `{update(answer), setLook({theme, locale, variables}), destroy()}`. `answer` is the tool's
 * structured content (docs/chart.md); null shows that it is awaited, and `{error: "a sentence"}` shows that
 * sentence. `theme` is "light" or "dark"; without it the reader's own setting holds. `variables` are CSS custom
 * properties (`--color-text-primary` and the like) that replace the chart's colours; `level` is that of its
 * heading, 2 where none is given. Needs no style sheet and no inline style in the page: it works under
 * `style-src 'self'; script-src 'self'`. Every value of the answer is put in as text, never as markup.
 */
import { scaleLinear, scaleTime } from "d3-scale";
import { line as lineOf } from "d3-shape";
import css from "./chart.css";
import { capital, filtered, headed, labelsOf, plain, writers } from "./words.js";

const SHAPES = [
  "M0-4.5A4.5 4.5 0 1 1 0 4.5A4.5 4.5 0 1 1 0-4.5Z", "M-4-4H4V4H-4Z", "M0-5.5L5 3.5H-5Z", "M0-6L5 0L0 6L-5 0Z",
  "M0 5.5L5-3.5H-5Z", "M-1.6-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z", "M-5-2.5L0-5.5L5-2.5V2.5L0 5.5L-5 2.5Z",
  "M-4-5.5L0-1.5L4-5.5L5.5-4L1.5 0L5.5 4L4 5.5L0 1.5L-4 5.5L-5.5 4L-1.5 0L-5.5-4Z",
];
const HEIGHTS = [190, 150, 110];
const MARGIN = { left: 12, right: 14, top: 10, bottom: 22 };
const DRAWN = ["svg", "g", "path", "line", "text"];
let charts = 0;

/** An element with attributes, listeners (`onclick` and the like) and children; texts stay texts. */
function make(name, attributes = {}, ...children) {
  const element = DRAWN.includes(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export function drawLineChart(element, answer = null, look = {}) {
  const level = look.level ?? 2;
  const id = `line-chart-${++charts}`;
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const preference = matchMedia("(prefers-color-scheme: dark)");
  const hidden = new Set();
  let tab = "chart";
  let at = null;
  let width = 0;
  let times = [];
  let x = null;
  let left = 0;
  let written = {};

  const box = make("div", { class: "chart" });
  root.replaceChildren(box);
  const said = make("div", { class: "seen", "aria-live": "polite" });
  const plotbox = make("div", {
    class: "plotbox", tabindex: 0, role: "group", "aria-roledescription": "chart",
    onkeydown: steer, onpointermove: point, onpointerdown: point,
    onpointerleave: () => pick(null), onblur: () => pick(null),
  });

  const day = (date, options) =>
    new Intl.DateTimeFormat(look.locale ?? "en-GB", { timeZone: "UTC", ...options }).format(new Date(date));
  const named = (date) => {
    if (answer.period === "year") return date.slice(0, 4);
    if (answer.period === "quarter") return `${date.slice(0, 4)} Q${Math.ceil(date.slice(5, 7) / 3)}`;
    if (answer.period === "month") return day(date, { month: "short", year: "numeric" });
    const shown = day(date, { day: "numeric", month: "short", year: "numeric" });
    return answer.period === "week" ? `Week of ${shown}` : shown;
  };
  const figures = (line, index) => answer.figures.map(({ name }) => make("td", {}, written[name](line[name][index])));
  const says = (line, index) => answer.figures.some(({ name }) => line[name][index] != null);
  const shown = () =>
    answer.series.map((line, index) => ({ line, index })).filter(({ line }) => !hidden.has(line.name));
  const colour = (index) => `var(--lc-${index % 8})`;
  const mark = (index, attributes = {}) =>
    make("path", { d: SHAPES[index % 8], fill: colour(index), class: "mark", ...attributes });
  const key = (index) =>
    make("svg", { width: 26, height: 14, viewBox: "-13 -7 26 14", "aria-hidden": "true" },
      make("line", { x1: -13, x2: 13, stroke: colour(index), "stroke-width": 2 }), mark(index));

  function dress() {
    box.classList.toggle("dark", look.theme ? look.theme === "dark" : preference.matches);
    for (const [name, value] of Object.entries(look.variables ?? {})) {
      if (name.startsWith("--") && value != null) box.style.setProperty(name, value);
    }
  }

  function render() {
    at = x = null;
    dress();
    if (!answer?.dates?.length) {
      const words = !answer ? "Waiting for the answer…" : answer.error
        || ["Nothing with a date matches. Try other filters.", ...(answer.notes ?? [])].join(" ");
      box.replaceChildren(make("p", { class: "message", role: answer?.error ? "alert" : "status" }, words));
      return;
    }
    times = answer.dates.map((date) => new Date(date));
    written = writers(answer, look.locale);
    const line = plain(answer.line);
    const asked = filtered(answer, look.locale).join(", ");
    const [first, last] = [named(answer.dates[0]), named(answer.dates.at(-1))];
    plotbox.setAttribute("aria-label", `${answer.title} from ${first} to ${last}, by ${line}: ${answer.series.length} `
      + `${answer.series.length === 1 ? "line" : "lines"}. Left and right arrow keys read the figures of each ${answer.period}.`);
    box.replaceChildren(
      make("div", { class: "top" },
        make("div", {}, make(`h${level}`, { class: "title" }, `${answer.title} by ${line}${asked && `: ${asked}`}`),
          make("p", {}, `${first === last ? first : `${first} – ${last}`} · mean of each ${answer.period} · `
            + `${answer.matched_rows} rows`)),
        make("div", { class: "tabs", role: "tablist", "aria-label": "Show as" }, tabOf("chart"), tabOf("table"))),
      panelOf("chart", legend(), plotbox, said),
      panelOf("table", table()),
    );
    if (answer.notes?.length) {
      box.append(make("ul", { class: "notes", "aria-label": "Notes" }, ...answer.notes.map((note) => make("li", {}, note))));
    }
    width = Math.round(box.clientWidth) - 24;
    plots();
  }

  function tabOf(name) {
    return make("button", {
      type: "button", role: "tab", id: `${id}-${name}-tab`, "aria-controls": `${id}-${name}`,
      "aria-selected": String(tab === name), tabindex: tab === name ? 0 : -1, onclick: () => show(name),
      onkeydown: (event) => {
        const other = { ArrowLeft: "chart", ArrowRight: "table", Home: "chart", End: "table" }[event.key];
        if (!other) return;
        event.preventDefault();
        show(other);
      },
    }, name === "chart" ? "Chart" : "Table");
  }

  function panelOf(name, ...children) {
    return make("div", {
      role: "tabpanel", id: `${id}-${name}`, "aria-labelledby": `${id}-${name}-tab`, hidden: tab !== name,
    }, ...children);
  }

  function show(name) {
    tab = name;
    for (const each of ["chart", "table"]) {
      const button = root.getElementById(`${id}-${each}-tab`);
      button.setAttribute("aria-selected", String(each === name));
      button.tabIndex = each === name ? 0 : -1;
      root.getElementById(`${id}-${each}`).hidden = each !== name;
    }
    root.getElementById(`${id}-${name}-tab`).focus();
    plots();
  }

  function legend() {
    return make("ul", { class: "legend", "aria-label": `Lines by ${plain(answer.line)}; press one to hide or show it` },
      ...answer.series.map((line, index) => make("li", {}, make("button", {
        type: "button", "aria-pressed": String(!hidden.has(line.name)),
        onclick: ({ currentTarget }) => {
          if (!hidden.delete(line.name)) hidden.add(line.name);
          currentTarget.setAttribute("aria-pressed", String(!hidden.has(line.name)));
          plots();
        },
        onpointerenter: () => dim(index), onpointerleave: () => dim(null),
        onfocus: () => dim(index), onblur: () => dim(null),
      }, key(index), line.name))));
  }

  function table() {
    const rows = answer.dates.flatMap((date, index) => answer.series.filter((line) => says(line, index)).map((line) =>
      make("tr", {}, make("th", { scope: "row" }, named(date)), make("td", { class: "name" }, line.name),
        ...figures(line, index))));
    return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Table of ${answer.title}` },
      make("table", {}, make("caption", {}, `Means of each ${answer.period} and ${plain(answer.line)}`),
        make("thead", {}, make("tr", {}, ...["Date", capital(plain(answer.line)), ...answer.figures.map(headed)].map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, ...rows)));
  }

  function plots() {
    if (!answer?.dates?.length || width <= 0 || tab !== "chart") return;
    const pad = times.length === 1 ? 86_400_000 : 0;
    const told = answer.figures.filter(({ name }) => answer.series.some((line) => line[name].some((value) => value != null)));
    const panels = told.map((figure, number) => scaled(figure, HEIGHTS[number] ?? HEIGHTS.at(-1), number === told.length - 1));
    // A digit of 12 px is 7 wide.
    left = MARGIN.left + 7 * Math.max(0, ...panels.flatMap(({ labels }) => labels.map((label) => label.length)));
    x = scaleTime([+times[0] - pad, +times.at(-1) + pad], [left, width - MARGIN.right]);
    plotbox.replaceChildren(...panels.flatMap((panel) =>
      [make(`h${level + 1}`, { class: "panel" }, headed(panel.figure)), plot(panel)]));
    pick(at);
  }

  /** A figure with the axis that its values need. */
  function scaled(figure, height, last) {
    const values = shown().flatMap(({ line }) => line[figure.name].filter((value) => value != null));
    let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 100];
    if (low === high) [low, high] = [low - (Math.abs(low) / 10 || 1), high + (Math.abs(high) / 10 || 1)];
    const bottom = height - (last ? MARGIN.bottom : 8);
    const y = scaleLinear([low, high], [bottom, MARGIN.top]).nice(4);
    const ticks = y.ticks(height > 120 ? 4 : 3);
    return { figure, height, last, bottom, y, ticks, labels: labelsOf(ticks, figure.unit, look.locale) };
  }

  function plot({ figure: { name }, height, last, bottom, y, ticks, labels }) {
    const svg = make("svg", { class: "plot", height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    ticks.forEach((tick, number) => svg.append(
      make("line", { class: "grid", x1: left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
      make("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, labels[number])));
    if (last) svg.append(...dateTicks(height));
    for (const { line, index } of shown()) {
      const known = (number) => line[name][number] != null;
      const place = (number) => [x(times[number]), y(line[name][number])];
      const all = [...times.keys()];
      const path = lineOf((number) => place(number)[0], (number) => place(number)[1]).defined(known)(all);
      // Where marks would touch each other only some are drawn; a point that no line reaches always is.
      const step = Math.ceil((times.length * 24) / width);
      const marked = all.filter((number) =>
        known(number) && ((number + index) % step === 0 || !(known(number - 1) || known(number + 1))));
      svg.append(make("g", { "data-line": index }, make("path", { class: "line", d: path ?? "", stroke: colour(index) }),
        ...marked.map((number) => mark(index, { transform: `translate(${place(number)})` }))));
    }
    svg.append(make("line", { class: "cursor", y1: MARGIN.top, y2: bottom, visibility: "hidden" }));
    return svg;
  }

  /** Dates below the plots, as many as have room, the first and the last among them. */
  function dateTicks(height) {
    const room = answer.period === "year" ? 44 : 78;
    const end = x(times.at(-1));
    let free = -Infinity;
    const ticks = [];
    times.forEach((time, index) => {
      const isLast = index === times.length - 1;
      if (!isLast && (x(time) < free || end - x(time) < room)) return;
      free = x(time) + room;
      const [date, anchor] = [answer.dates[index], isLast && index ? "end" : index ? "middle" : "start"];
      const words = ["day", "week"].includes(answer.period)
        ? day(date, { day: "numeric", month: "short", year: "2-digit" }) : named(date);
      const single = times.length === 1;
      const place = single ? x(time) : anchor === "end" ? end + 10 : anchor === "start" ? x(time) - 10 : x(time);
      ticks.push(make("text", { x: place, y: height - 4, "text-anchor": single ? "middle" : anchor }, words));
    });
    return ticks;
  }

  function dim(index) {
    const others = index != null && !hidden.has(answer.series[index].name);
    for (const group of root.querySelectorAll("[data-line]")) {
      group.classList.toggle("dim", others && group.dataset.line !== String(index));
    }
  }

  /** Tell of one date, or of none; by keyboard also to a screen reader. */
  function pick(index, speak = false) {
    at = index;
    plotbox.querySelector(".tip")?.remove();
    const place = index == null || !x ? 0 : x(times[index]);
    for (const cursor of root.querySelectorAll(".cursor")) {
      cursor.setAttribute("visibility", index == null ? "hidden" : "visible");
      cursor.setAttribute("x1", place);
      cursor.setAttribute("x2", place);
    }
    if (index == null) return;
    const lines = shown().filter(({ line }) => says(line, index));
    const tip = make("div", { class: "tip", "aria-hidden": "true" }, make("strong", {}, named(answer.dates[index])),
      make("table", {},
        make("tr", { class: "heads" }, ...["", ...answer.figures.map(({ title }) => capital(title))].map((name) => make("td", {}, name))),
        ...lines.map(({ line, index: number }) => make("tr", {},
          make("td", { class: "name" },
            make("svg", { class: "key", width: 12, height: 12, viewBox: "-6 -6 12 12" }, mark(number)), line.name),
          ...figures(line, index)))));
    plotbox.append(tip);
    // On a phone it would cover what it tells of: there it stands below.
    tip.classList.toggle("below", width < 520);
    const left = place > width / 2 ? place - tip.offsetWidth - 12 : place + 12;
    tip.style.left = `${Math.max(0, Math.min(left, width - tip.offsetWidth))}px`;
    if (!speak) return;
    said.textContent = [named(answer.dates[index]), ...lines.map(({ line }) => `${line.name}: `
      + answer.figures.filter(({ name }) => line[name][index] != null)
        .map(({ name, title }) => `${title} ${written[name](line[name][index])}`).join(", "))].join(". ");
  }

  function point(event) {
    if (!x) return;
    const place = event.clientX - plotbox.getBoundingClientRect().left;
    const distances = times.map((time) => Math.abs(x(time) - place));
    const nearest = distances.indexOf(Math.min(...distances));
    if (nearest !== at) pick(nearest);
  }

  function steer(event) {
    const last = times.length - 1;
    const next = {
      ArrowRight: at == null ? 0 : Math.min(last, at + 1), ArrowLeft: at == null ? last : Math.max(0, at - 1),
      Home: 0, End: last,
    }[event.key];
    if (event.key === "Escape") pick(null);
    if (next === undefined) return;
    event.preventDefault();
    pick(next, true);
  }

  const observer = new ResizeObserver(() => {
    const now = Math.round(box.clientWidth) - 24;
    if (now === width) return;
    width = now;
    plots();
  });
  preference.addEventListener("change", dress);
  render();
  observer.observe(box);
  return {
    update(next) {
      answer = next;
      hidden.clear();
      render();
    },
    setLook(changes) {
      look = { ...look, ...changes };
      render();
    },
    destroy() {
      observer.disconnect();
      preference.removeEventListener("change", dress);
      root.replaceChildren();
    },
  };
}
