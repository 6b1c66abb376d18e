/** What somebody can do where there is nothing to watch. */

/**
 * Parts of a sentence, texts and elements; none where there is nothing to do but wait.
 *
 * @param {string} state as the page shows it.
 * @param {object|null} info the session as the server describes it.
 */
export function nextStep(state, info) {
  if (state === "none") {
    return ["Start one: ", code("livedub serve --key KEY"), ", or ", link("docs", "by the API"), "."];
  }
  if (state !== "waiting" || info?.state !== "waiting" || info.source !== "publish") return [];
  const parts = info.position > 0 ? ["It goes on as soon as somebody publishes again. "] : [];
  parts.push("Publish ");
  if (info.rtmp_port) {
    const port = info.rtmp_port === 1935 ? "" : `:${info.rtmp_port}`;
    parts.push("to ", code(`rtmp://${location.hostname}${port}/live/KEY`), " with its key, or ");
  }
  const query = new URLSearchParams({ session: info.id });
  return [...parts, link(`publish#${query}`, "from this browser"), "."];
}

function code(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}

function link(href, text) {
  const element = document.createElement("a");
  Object.assign(element, { href, textContent: text });
  return element;
}
