// What makes the pages more comfortable where scripts run; nothing depends on it.

// The copy buttons: one for each element with data-copy.
const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status");
document.body.append(status);

for (const element of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  const text = element.querySelector("code").textContent;
  button.setAttribute("aria-label", `Copy ${text.slice(0, 60)}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    status.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
      status.textContent = "";
    }, 2000);
  });
  const holder = document.createElement("div");
  holder.className = `copyable ${element.tagName === "PRE" ? "block" : ""}`;
  element.replaceWith(holder);
  holder.append(element, button);
}
