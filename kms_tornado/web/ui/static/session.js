// Who is signed in. The token is in this module's memory and nowhere else: a reload or another tab signs in anew.
//
// state: status "starting", "out" or "in"; token; who (the answer of /whoami); endsAt (ms since the epoch, or null);
// notice (why somebody was signed out); refreshToken, where the issuer gave one.

import { makeStore } from "./store.js";

const OUT = { status: "out", token: null, refreshToken: null, who: null, endsAt: null };

export const session = makeStore({ ...OUT, status: "starting", notice: null });

// Sign in with a token; throws APIError where the server does not accept it.
session.enter = async (token, refreshToken = null) => {
  const { getJSON } = await import("./api.js"); // which imports this module
  const before = session.get();
  session.set({ token });
  try {
    const who = await getJSON("whoami");
    const endsAt = who.expires_at === null ? null : who.expires_at * 1000;
    session.set({ status: "in", token, refreshToken, who, endsAt, notice: null });
  } catch (error) {
    session.set({ ...before, token: before.status === "in" ? before.token : null });
    throw error;
  }
};

// The same with the first of several that is accepted; throws what the first one was refused with.
session.enterWithAny = async ({ tokens, refreshToken }) => {
  let refusal = null;
  for (const token of tokens) {
    try {
      await session.enter(token, refreshToken);
      return;
    } catch (error) {
      refusal ??= error;
      if (error.status !== 401) break; // the server says no to all of them, or is not there
    }
  }
  throw refusal;
};

session.leave = (notice = null) => session.set({ ...OUT, notice });

// The server refused this token. What came late, of one that was replaced since, ends nothing.
session.refuse = (token, description) => {
  const { status, token: current } = session.get();
  if (status === "in" && token === current) {
    session.leave(`You were signed out: ${description || "the server does not accept your token any more"}.`);
  }
};
