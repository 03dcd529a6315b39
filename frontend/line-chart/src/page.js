/** The page that a chat shows for an answer with figures over time. */
import { Bridge } from "./bridge.js";
import { drawLineChart } from "./chart.js";
import { capital, plain } from "./words.js";

const page = document.documentElement;
const controls = document.getElementById("controls");
const chart = drawLineChart(document.getElementById("chart"), null, { level: 1 });
/** What each filter may be given: all values that any answer has named. */
const known = new Map();
let context = {};
let callable = false;
/** The arguments of the tool's own call, and the filters of the answer that is shown. */
let call = {};
let asked = {};
let tool = "";
let turn = 0;

const bridge = new Bridge({
  "ui/notifications/tool-input": ({ arguments: given }) => {
    call = { ...given };
    chart.update(null);
  },
  "ui/notifications/tool-result": take,
  "ui/notifications/tool-cancelled": () => chart.update({ error: "The question was cancelled before it was answered." }),
  "ui/notifications/host-context-changed": dress,
});

function dress(changes) {
  context = { ...context, ...changes };
  const variables = context.styles?.variables ?? {};
  const theme = context.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  page.classList.toggle("dark", theme === "dark");
  page.style.colorScheme = theme === "dark" ? "dark" : "light";
  for (const [name, value] of Object.entries(variables)) {
    if (name.startsWith("--") && value != null) page.style.setProperty(name, value);
  }
  let locale;
  try {
    [locale] = Intl.getCanonicalLocales(context.locale ?? []);
  } catch {
    // What the host gives is no locale: the chart has its own.
  }
  chart.setLook({ theme, locale, variables });
}

function take(result) {
  const answer = result.structuredContent;
  if (result.isError || !answer?.dates) {
    const words = result.content?.find((each) => each.type === "text")?.text;
    chart.update({ error: words || "The figures could not be shown." });
    return;
  }
  asked = { ...answer.filters };
  tool = call.data_set ? "show_data" : answer.tool;
  for (const [name, values] of Object.entries(answer.choices ?? {})) {
    if (!known.has(name)) known.set(name, new Set());
    values.forEach((value) => known.get(name).add(value));
  }
  chart.update(answer);
  offer();
}

/** Choices of other values, where the host lets a page call the tool. */
function offer() {
  const focused = document.activeElement?.name;
  controls.hidden = !callable || !called() || !known.size;
  controls.replaceChildren(...[...known].map(([name, found]) => {
    const values = new Set(asked[name] ? [...found, asked[name]] : found);
    const select = document.createElement("select");
    select.name = name;
    select.append(new Option("All", ""), ...[...values].sort().map((value) => new Option(value, value)));
    select.value = asked[name] ?? "";
    const label = document.createElement("label");
    label.append(`${capital(plain(name.replace(/_contains$/, "")))} `, select);
    return label;
  }));
  if (focused) controls.elements.namedItem(focused)?.focus();
}

/** The tool as the host calls it, or else as the answer does. */
const called = () => context.toolInfo?.tool?.name ?? tool;

/** Arguments that ask for these filters: the tool of all data sets takes them as one. */
function withFilters(filters) {
  const { data_set, line } = call;
  return { ...(line && { line }), ...(data_set ? { data_set, filters } : filters) };
}

async function ask() {
  const wanted = { ...asked };
  for (const { name, value } of controls.elements) {
    wanted[name] = value;
    if (!value) delete wanted[name];
  }
  asked = wanted;
  const mine = ++turn;
  document.body.setAttribute("aria-busy", "true");
  let result;
  try {
    result = await bridge.request("tools/call", { name: called(), arguments: withFilters(wanted) });
  } catch {
    const text = "The figures could not be loaded again; ask in the chat.";
    result = { isError: true, content: [{ type: "text", text }] };
  }
  if (mine !== turn) return;
  document.body.removeAttribute("aria-busy");
  take(result);
}

controls.addEventListener("change", ask);

bridge.connect({ name: "line-chart", version: "1" }).then(({ hostCapabilities, hostContext }) => {
  callable = Boolean(hostCapabilities?.serverTools);
  dress(hostContext ?? {});
  offer();
  let told = 0;
  new ResizeObserver(() => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height === told) return;
    told = height;
    bridge.notify("ui/notifications/size-changed", { height, width: innerWidth });
  }).observe(document.body);
});
