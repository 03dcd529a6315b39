// The try-out of a tool: draws the answer, says that a call is under way, and sends no empty fields.

for (const element of document.querySelectorAll("[data-module]")) {
  import(element.dataset.module).then((module) =>
    module[element.dataset.function](
      element,
      JSON.parse(document.getElementById(element.dataset.answer).textContent),
    ),
  );
}

const form = document.querySelector("form[data-tool]");
form?.addEventListener("submit", () => {
  const button = form.querySelector("button[type=submit]");
  button.textContent = "Calling…";
  button.setAttribute("aria-disabled", "true");
  document.getElementById("answer").setAttribute("aria-busy", "true");
  // Read when the browser collects the fields, which is after this.
  for (const field of form.elements) {
    if (form.method === "get" && field.name && !field.value) field.disabled = true;
  }
});
// Back from the cache of the browser, the form can be sent again.
addEventListener("pageshow", (event) => event.persisted && location.reload());
