/** The daemon's HTTP interface: refusals become errors with one sentence. */

export class Refusal extends Error {
  /**
   * @param {number} status HTTP status; 0 if there was no response.
   * @param {string} detail one sentence for the viewer.
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  /** Whether another token might help. */
  get locked() {
    return this.status === 401 || this.status === 403;
  }
}

/** Send a request; throws a `Refusal` unless it succeeds. */
export async function ask(path, { method = "GET", token, type, body, signal } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (type) headers["Content-Type"] = type;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The server cannot be reached.");
  }
  if (answer.ok) return answer;
  throw new Refusal(answer.status, await sentence(answer));
}

/** Where the daemon is: a proxy may serve it below a path. */
const HOME = new URL(".", document.baseURI).pathname;

export async function listSessions(signal) {
  return (await ask(`${HOME}sessions`, { signal })).json();
}

export async function showSession(id, signal) {
  return (await ask(at(id), { token: tokens.of(id), signal })).json();
}

/** Path of a session, or of a resource below it. */
export function at(id, below = "") {
  return `${HOME}sessions/${encodeURIComponent(id)}${below}`;
}

/** Tokens are kept for this tab only, and never appear in its address. */
export const tokens = {
  of: (id) => sessionStorage.getItem(`token ${id}`) ?? "",
  keep: (id, token) => sessionStorage.setItem(`token ${id}`, token),
};

/** Resolves after `ms` milliseconds, or rejects when `signal` aborts. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Milliseconds to wait before attempt `n`: doubling, at most 15 s, with jitter. */
export function backoff(n) {
  return Math.min(15_000, 500 * 2 ** n) * (0.75 + Math.random() / 2);
}

async function sentence(answer) {
  const problem = await answer.json().catch(() => null);
  const detail = problem?.detail;
  if (typeof detail !== "string" || !detail) return `The server answered ${answer.status}.`;
  const begun = detail[0].toUpperCase() + detail.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
