/**
 * Builds the chart: a page in one file for chats, and a module for pages of this site.
 *
 * `node build.mjs [FOLDER]` writes below FOLDER, by default the top of the project.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const target = resolve(process.argv[2] ?? join(here, "..", ".."));

const { packages } = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8"));

async function bundle(entry) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(here, "src", entry)], bundle: true, minify: true, format: "esm", target: "es2022",
    charset: "ascii", legalComments: "none", loader: { ".css": "text" }, write: false, metafile: true, absWorkingDir: here,
  });
  const used = new Set(Object.keys(metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]));
  used.delete(undefined);
  const terms = new Set();
  const licences = [...used].sort().map((name) => {
    const { version, license } = packages[`node_modules/${name}`];
    const [notice, ...rest] = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim().split("\n");
    terms.add(rest.join("\n").trim());
    return `${name} ${version}, ${license}. ${notice}`;
  });
  licences.push(...terms);
  return { code: outputFiles[0].text.trim(), licences };
}

function write(path, text) {
  const file = join(target, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const page = await bundle("page.js");
const html = readFileSync(join(here, "src", "page.html"), "utf8")
  .replace("LICENCES", () => `It holds:\n${page.licences.join("\n")}`)
  .replace("SCRIPT", () => page.code.replaceAll("</", "<\\/"));
write("mcpsite/datasets/chart/line-chart.html", html);
const module = await bundle("chart.js");
write("mcpsite/datasets/static/datasets/line-chart.js",
  `/* Made by \`make chart\` from frontend/line-chart; change it there. drawLineChart(element, answer, {theme, locale,\nvariables}) is described in docs/chart.md. It holds:\n${module.licences.join("\n")} */\n${module.code}\n`);
