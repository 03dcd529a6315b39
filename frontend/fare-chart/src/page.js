/** The page that a chat shows for an answer of `show_fare_trends`. */
import { Bridge } from "./bridge.js";
import { drawFareChart } from "./chart.js";

const CHOICES = ["route_contains", "airline_contains"];
const page = document.documentElement;
const controls = document.getElementById("controls");
const chart = drawFareChart(document.getElementById("chart"), null, { level: 1 });
const known = { route_contains: new Set(), airline_contains: new Set() };
let context = {};
let callable = false;
let asked = {};
let turn = 0;

const bridge = new Bridge({
  "ui/notifications/tool-input": ({ arguments: given }) => {
    asked = { ...given };
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
    chart.update({ error: words || "The fares could not be shown." });
    return;
  }
  asked = { ...answer.filters };
  answer.routes.forEach((route) => known.route_contains.add(route));
  answer.series.forEach((line) => known.airline_contains.add(line.airline));
  known.airline_contains.delete("(no airline)");
  chart.update(answer);
  offer();
}

/** Choices of another route or airline, where the host lets a page call the tool. */
function offer() {
  controls.hidden = !callable;
  for (const name of CHOICES) {
    const values = new Set(known[name]);
    if (asked[name]) values.add(asked[name]);
    const select = document.getElementById(name);
    select.replaceChildren(new Option("All", ""), ...[...values].sort().map((value) => new Option(value, value)));
    select.value = asked[name] ?? "";
  }
}

async function ask() {
  const wanted = { ...asked };
  for (const name of CHOICES) {
    wanted[name] = document.getElementById(name).value;
    if (!wanted[name]) delete wanted[name];
  }
  asked = wanted;
  const mine = ++turn;
  document.body.setAttribute("aria-busy", "true");
  let result;
  try {
    result = await bridge.request("tools/call", { name: "show_fare_trends", arguments: wanted });
  } catch {
    const text = "The fares could not be asked for again; ask in the chat.";
    result = { isError: true, content: [{ type: "text", text }] };
  }
  if (mine !== turn) return;
  document.body.removeAttribute("aria-busy");
  take(result);
}

for (const name of CHOICES) document.getElementById(name).addEventListener("change", ask);

bridge.connect({ name: "fare-chart", version: "1" }).then(({ hostCapabilities, hostContext }) => {
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
