(() => {
  "use strict";
  const { origin, assignment } = document.currentScript.dataset;
  document.currentScript.remove();
  const original = /^\s*(?:https?:)?\/\/(?:www|workersandbox)\.mturk\.com(?=\/mturk\/externalSubmit\b)/i;

  function redirect(element, attribute) {
    const value = element && element.getAttribute(attribute);
    if (value && original.test(value)) element.setAttribute(attribute, value.replace(original, origin));
    return (element && element.getAttribute(attribute)) || "";
  }

  function prepare(form, submitter) {
    if (!(form instanceof HTMLFormElement)) return;
    const targets = redirect(form, "action") + redirect(submitter, "formaction");
    if (!targets.includes("/mturk/externalSubmit")) return;
    const field = form.querySelector('[name="assignmentId"]');
    if (!field) {
      const hidden = document.createElement("input");
      hidden.type = "hidden";
      hidden.name = "assignmentId";
      hidden.value = assignment;
      form.append(hidden);
    } else if (!field.value) {
      field.value = assignment;
    }
  }

  // Before the page's own handlers, after them, and for submits by script, which fire no event
  for (const capture of [true, false]) {
    addEventListener("submit", (event) => prepare(event.target, event.submitter), capture);
  }
  const submit = HTMLFormElement.prototype.submit;
  HTMLFormElement.prototype.submit = function () {
    prepare(this, null);
    return submit.call(this);
  };
})();
