// How one signs in here, and the renewal of tokens before they end, where the issuer gave a refresh token.

import { renew } from "./oauth.js";
import { session } from "./session.js";
import { makeStore } from "./store.js";

// The answer of sign-in.json, once it is known.
export const signInSettings = makeStore({ known: false, needs_token: true, unreachable_issuer: null, code: null });

const RENEW_BEFORE_MS = 60_000;
const CHECK_EVERY_MS = 5_000;

let isRenewing = false;

export function startRenewing() {
  setInterval(check, CHECK_EVERY_MS);
  addEventListener("focus", check); // timers sleep while a tab is hidden
}

async function check() {
  const { status, endsAt, refreshToken } = session.get();
  if (status !== "in" || endsAt === null) return;
  const left = endsAt - Date.now();
  if (refreshToken && left < RENEW_BEFORE_MS && !isRenewing) {
    isRenewing = true;
    try {
      const tokens = await renew(signInSettings.get().code, refreshToken);
      if (session.get().refreshToken === refreshToken) await session.enterWithAny(tokens);
      return;
    } catch (error) {
      // A refresh token that was refused is not tried again; one that found no issuer is.
      if (error.status && session.get().refreshToken === refreshToken) session.set({ refreshToken: null });
    } finally {
      isRenewing = false;
    }
  }
  if (left <= 0 && session.get().endsAt === endsAt) session.leave("Your sign-in has ended, as every token does after a while. Sign in again to go on.");
}
