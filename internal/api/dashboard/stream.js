// The stream of figures and the reads beside it. A token stays in this tab. The stream is read
// with fetch, because an EventSource cannot send the header that the token goes in.

const TOKEN = "plimsoll.token";
const SILENT_MS = 6000; // the daemon sends several frames a second
const HIDDEN_MS = 20000; // after which a hidden page lets the daemon rest
const WAIT_MS = [300, 700, 1500, 3000, 5000];

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => sessionStorage.setItem(TOKEN, value),
};

function headers() {
  const value = token.get();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/** Refused is an answer that is no success. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function refusal(reply) {
  try {
    const { error } = await reply.json();
    return new Refused(reply.status, error.code, error.message);
  } catch {
    return new Refused(reply.status, "", `The daemon answered ${reply.status}.`);
  }
}

/** read gets JSON from the daemon. */
export async function read(path, signal) {
  let reply;
  try {
    reply = await fetch(path, { headers: headers(), signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The daemon cannot be reached.");
  }
  if (!reply.ok) throw await refusal(reply);
  return reply.json();
}

/** Stream keeps one stream open: it says what came, and how it stands. */
export class Stream {
  /** handlers: message(kind, data), state(name, about): connecting, live, waiting, denied, paused. */
  constructor(path, handlers) {
    this.path = path;
    this.handlers = handlers;
    this.failures = 0;
    this.run = 0;
    document.addEventListener("visibilitychange", () => this.visible());
    addEventListener("online", () => this.retry());
  }

  /** retry connects now. */
  retry() {
    this.stop();
    this.open(++this.run);
  }

  stop() {
    this.run++;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.abort?.abort();
  }

  visible() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => {
        this.stop();
        this.isPaused = true;
        this.handlers.state("paused", "Paused while hidden");
      }, HIDDEN_MS);
    } else if (this.isPaused) {
      this.isPaused = false;
      this.retry();
    }
  }

  async open(run) {
    this.handlers.state("connecting", this.failures ? "Reconnecting…" : "Connecting…");
    const abort = (this.abort = new AbortController());
    let why = "The connection was lost.";
    try {
      this.heard();
      const reply = await fetch(this.path, { headers: headers(), signal: abort.signal, cache: "no-store" });
      if (run !== this.run) return;
      if (reply.status === 401 || reply.status === 403) {
        const refused = await refusal(reply);
        clearTimeout(this.silence);
        this.handlers.state("denied", refused.message);
        return;
      }
      if (!reply.ok) throw await refusal(reply);
      why = (await this.follow(reply.body, run)) ?? why;
    } catch (error) {
      if (error instanceof Refused) why = error.status === 503 ? `The daemon is not ready: ${error.message}.` : error.message;
      else if (error.name !== "AbortError") why = "The daemon cannot be reached.";
      else why = "The daemon has gone silent.";
    }
    if (run !== this.run) return;
    clearTimeout(this.silence);
    const wait = WAIT_MS[Math.min(this.failures++, WAIT_MS.length - 1)];
    this.handlers.state("waiting", why, wait);
    this.timer = setTimeout(() => this.open(run), wait);
  }

  /** heard puts off the end of a silent stream. */
  heard() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.abort?.abort(), SILENT_MS);
  }

  /** follow reads messages until the stream ends; it returns why, if the daemon said so. */
  async follow(body, run) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done || run !== this.run) return undefined;
      this.heard();
      rest += value;
      const messages = rest.split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const kind = /^event: (.*)$/m.exec(message)?.[1];
        const data = /^data: (.*)$/m.exec(message)?.[1];
        if (!kind || !data) continue;
        const parsed = JSON.parse(data);
        if (kind === "end") {
          return parsed.code === "shutting_down" ? "The daemon is stopping." : "This token has been taken away.";
        }
        if (this.failures || kind === "hello") this.handlers.state("live", "Live");
        this.failures = 0;
        this.handlers.message(kind, parsed);
      }
    }
  }
}
