// The server's HTTP interface: requests with the token, and refusals in words.
//
// Everything that a view wants from the server goes through here; KMIP is in kmip.js, on top of this.
// A refusal is an `APIError`, whose `message` is a sentence for people and whose `advice` says what to do.

import { session } from "./session.js";

// The page is at …/ui/, and the interface one step above it, whatever path a proxy has put in front.
const BASE = new URL("../", document.baseURI);

const TIMEOUT_MS = 30_000;

export class APIError extends Error {
  // status: of HTTP, 0 where there was no answer. reason: KMIP's result reason or the error's code, for programs.
  constructor(status, reason, message, advice = "") {
    super(message);
    this.name = "APIError";
    this.status = status;
    this.reason = reason;
    this.advice = advice;
  }
}

// The answer to a request below the server's base; throws APIError where it is no success.
// options: method, body (an object is sent as JSON), signal, query ({name: value}, empty values left out), accept (other
// statuses that are no refusal).
export async function request(path, { method = "GET", body, signal, query, accept = [] } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = {};
  const { token } = session.get();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      credentials: "omit", // the token alone says who asks
      cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw limit.aborted
      ? new APIError(0, "timeout", "The server has not answered for 30 seconds.", "Try again in a moment.")
      : new APIError(0, "unreachable", "The server cannot be reached.", "Check your connection, then try again.");
  }
  if (!answer.ok && !accept.includes(answer.status)) throw await readRefusal(answer, token);
  return answer;
}

export const getJSON = async (path, options) => (await request(path, options)).json();

export const postJSON = async (path, body, options) =>
  (await request(path, { ...options, method: "POST", body })).json();

// {items, next}: a list in pages. next: the cursor of the next page, null at the end (RFC 8288, rel="next").
export async function getPage(path, options) {
  const answer = await request(path, options);
  const link = answer.headers.get("Link")?.match(/<([^>]*)>;\s*rel="next"/);
  const next = link ? new URL(link[1], answer.url).searchParams.get("cursor") : null;
  const isLines = answer.headers.get("Content-Type")?.startsWith("application/x-ndjson");
  const text = await answer.text();
  const items = isLines ? text.split("\n").filter(Boolean).map((line) => JSON.parse(line)) : JSON.parse(text);
  return { items, next };
}

async function readRefusal(answer, token) {
  const text = await answer.text().catch(() => "");
  if (answer.headers.get("Content-Type")?.startsWith("text/plain")) {
    const [, reason, message] = text.match(/^([A-Za-z_]+): (.*)$/s) ?? [null, "General_Failure", text];
    return describeKMIP(answer.status, reason, message);
  }
  let error = "error";
  let description = "";
  try {
    ({ error = error, error_description: description = "" } = JSON.parse(text));
  } catch {
    // a proxy's page, of which the status says enough
  }
  if (answer.status === 401 && token) session.refuse(token, description);
  return describeHTTP(answer, error, description);
}

function describeHTTP(answer, error, description) {
  const wait = answer.headers.get("Retry-After");
  const later = wait ? `Try again in ${wait} s.` : "Try again in a moment.";
  const said = description ? `${description[0].toUpperCase()}${description.slice(1)}.`.replace(/\.\.$/, ".") : "";
  switch (answer.status) {
    case 401:
      return new APIError(401, error, `The server did not accept your token: ${description || "no reason given"}.`, "Sign in again.");
    case 403:
      return new APIError(403, error, `You may not do this: ${description || "the server refused it"}.`, "Ask whoever runs this server.");
    case 404:
      return new APIError(404, error, "The server has nothing at this address.", "Is it an older version than this page? Reload the page.");
    case 413:
      return new APIError(413, error, "This is larger than the server takes at once.", said);
    case 429:
      return new APIError(429, error, "You have sent too many requests at once.", later);
    case 503:
      return new APIError(503, error, said || "The server cannot do this at the moment.", later);
    default:
      return new APIError(answer.status, error, said || `The server answered with status ${answer.status}.`, answer.status >= 500 ? later : "");
  }
}

// KMIP's result reasons that people meet most → what to do about them.
const ADVICE = {
  Item_Not_Found: "It does not exist, or nobody has granted it to you: its owner can share it with you.",
  Object_Not_Found: "It does not exist, or nobody has granted it to you: its owner can share it with you.",
  Permission_Denied: "Its owner can grant you what is missing.",
  Wrong_Key_Lifecycle_State: "The key's life-cycle on its own page shows what it can be used for now.",
  Object_Archived: "It has to be recovered first.",
  Server_Limit_Exceeded: "The page about HTTP in the documentation lists all limits.",
};

export function describeKMIP(status, reason, message) {
  const words = message ? `${message[0].toUpperCase()}${message.slice(1)}` : reason.replaceAll("_", " ");
  return new APIError(status, reason, words.endsWith(".") ? words : `${words}.`, ADVICE[reason] ?? "");
}
