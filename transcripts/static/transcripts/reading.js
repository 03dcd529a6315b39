// What makes a call's page more comfortable where scripts run; nothing depends on it.

const wanted = location.hash.slice(1);
const address = new URL(location.href);
if (/^(t-[\dx-]+|turn-\d+)$/.test(wanted) && !document.getElementById(wanted)) {
  if (address.searchParams.has("p") || address.searchParams.has("at")) {
    // The passage stands elsewhere now.
    document.getElementById("cited")?.scrollIntoView();
  } else {
    // The turn is on another page of the call.
    address.searchParams.set("at", wanted);
    location.replace(address);
  }
}

const { title, date } = document.querySelector("article.transcript").dataset;
const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status");
document.body.append(status);

/** The words of a turn, or those of them that are selected. */
function quote(turn) {
  const said = turn.querySelector(".said");
  const selection = getSelection();
  const selected = !selection.isCollapsed && selection.containsNode(said, true) && said.contains(selection.anchorNode);
  return selected && said.contains(selection.focusNode) ? selection.toString().trim() : said.innerText.trim();
}

/** What is copied of consecutive turns: who says what, in which call, and where to read it. */
function citation(turns, link) {
  const name = (turn) => turn.querySelector("strong")?.textContent ?? "";
  const words =
    turns.length === 1
      ? `“${quote(turns[0])}”`
      : turns.map((turn) => (name(turn) ? `${name(turn)}: ${quote(turn)}` : quote(turn))).join("\n");
  const stamp = turns[0].querySelector(".stamp").textContent;
  const source = [turns.length === 1 && name(turns[0]), title, date, stamp !== "¶" && stamp].filter(Boolean);
  return `${words}\n— ${source.join(", ")}\n${link}`;
}

function addButton(turns, link, holder) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy-quote";
  button.textContent = "Copy quote and link";
  // A click would end the selection that is to be copied.
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(citation(turns, link));
    button.textContent = status.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy quote and link";
      status.textContent = "";
    }, 2000);
  });
  holder.append(button);
}

if (navigator.clipboard) {
  for (const turn of document.querySelectorAll(".turn")) {
    addButton([turn], turn.querySelector(".stamp").href, turn.querySelector(".who"));
  }
  const cited = document.querySelector(".cited");
  const turns = [...(cited?.querySelectorAll(".turn") ?? [])];
  if (turns.length > 1) {
    const holder = document.createElement("p");
    holder.className = "copy-passage";
    addButton(turns, new URL(cited.dataset.link, location.href).href, holder);
    cited.prepend(holder);
  }
}
