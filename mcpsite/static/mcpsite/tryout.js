// The try-out of a tool: says that the call is under way, and sends no empty fields.

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
