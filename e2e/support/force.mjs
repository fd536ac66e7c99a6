// Forms that the page does not offer, posted all the same.

/**
 * Posts a form (`{path, form, multipart}`) as the page could, with its session, and follows no redirect. Answers the status, 0 for a
 * redirect, and the words of the page that came.
 */
export function force(page, forced) {
  return page.evaluate(async ({ path, form, multipart }) => {
    const fields = multipart ? new FormData() : new URLSearchParams();
    for (const [name, value] of form) fields.append(name, value);
    const answer = await fetch(path, { method: "POST", body: fields, redirect: "manual" });
    const html = new DOMParser().parseFromString(await answer.text(), "text/html");
    return { status: answer.status, says: html.querySelector("main")?.textContent.replace(/\s+/g, " ").trim() ?? "" };
  }, forced);
}
