// htmx would add a <style> to the page and compile code from attributes; the Content-Security-Policy
// forbids the first, and nothing here needs the second.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;

// What Django's and select2's widgets leave without a role or a name for assistive technology. They are
// made while the page loads, some of them after this has run for the first time.
function nameWidgets() {
  for (const tip of document.querySelectorAll(".selector .help-tooltip")) {
    tip.setAttribute("role", "img");
  }
  for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
    const name = select.labels[0]?.textContent.trim() || select.getAttribute("aria-label") || select.name;
    const parts = select.nextElementSibling?.querySelectorAll("[role=combobox], [role=textbox]") ?? [];
    for (const part of parts) {
      part.removeAttribute("aria-labelledby");
      part.setAttribute("aria-label", name);
    }
  }
}
window.addEventListener("load", () => setTimeout(nameWidgets));
