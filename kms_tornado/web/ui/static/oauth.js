// Signing in at an issuer: authorization code with PKCE (RFC 6749 §4.1, RFC 7636), answers checked as RFC 9207 has it.
//
// The way to the issuer and back leaves this page's memory behind. What has to survive it, the verifier and the
// state, is in sessionStorage of this tab, is taken out on the way back, and is worth nothing without the code.

import { APIError } from "./api.js";
import { go } from "./router.js";

const KEPT = "kms.sign-in";

// This page without query and fragment: where the issuer sends the browser back to.
const redirectURI = () => new URL("./", document.baseURI).href;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// Leave for the issuer. code: of sign-in.json. hint: whom to offer first.
export async function startSignIn(code, hint = "") {
  const verifier = random();
  const state = random();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier, state, code, hash: location.hash }));
  const url = new URL(code.authorization_endpoint);
  const parameters = {
    response_type: "code",
    client_id: code.client_id,
    redirect_uri: redirectURI(),
    scope: code.scope ?? "openid",
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
    ...code.extra,
  };
  if (hint) parameters.login_hint = hint;
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}

// {tokens, refreshToken} where this page was opened by the issuer's answer, else null; throws APIError.
export async function finishSignIn() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state") || !(answer.has("code") || answer.has("error"))) return null;
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  // Neither the code nor what was said about it stays in the address and the history.
  go(redirectURI() + (kept?.hash ?? ""), { replace: true });
  if (kept === null || answer.get("state") !== kept.state) {
    throw new APIError(0, "state", "This sign-in was not begun in this tab.", "Sign in again.");
  }
  const { code, verifier } = kept;
  if (answer.has("iss") && answer.get("iss") !== code.issuer) {
    throw new APIError(0, "iss", "Another issuer has answered than the one that was asked.", "Sign in again.");
  }
  if (answer.has("error")) {
    const words = answer.get("error_description") || answer.get("error");
    throw new APIError(0, "denied", `The issuer did not sign you in: ${words}.`, "Sign in again.");
  }
  return fetchTokens(code, {
    grant_type: "authorization_code",
    code: answer.get("code"),
    redirect_uri: redirectURI(),
    code_verifier: verifier,
  });
}

// The same for a refresh token.
export const renew = (code, refreshToken) =>
  fetchTokens(code, { grant_type: "refresh_token", refresh_token: refreshToken });

async function fetchTokens(code, parameters) {
  let answer;
  let members;
  try {
    answer = await fetch(code.token_endpoint, {
      method: "POST",
      body: new URLSearchParams({ ...parameters, client_id: code.client_id }),
      credentials: "omit",
      redirect: "error", // the code and the verifier are for this address
      signal: AbortSignal.timeout(20_000),
    });
    members = await answer.json();
  } catch {
    throw new APIError(0, "issuer", `The issuer ${code.issuer} cannot be reached from this page.`,
      "It may be down, or it may not let pages of this address ask for tokens (CORS). You can paste a token instead.");
  }
  if (!answer.ok) {
    const words = members.error_description || members.error || `status ${answer.status}`;
    throw new APIError(answer.status, "issuer", `The issuer did not hand out a token: ${words}.`, "Sign in again.");
  }
  // Some issuers' access tokens are for themselves alone; then the ID token may be the one that is accepted here.
  const tokens = [members.access_token, members.id_token].filter((one) => one?.split(".").length === 3);
  if (tokens.length === 0) {
    throw new APIError(0, "issuer", "The issuer handed out no JWT.", "Its settings for this client decide that.");
  }
  return { tokens, refreshToken: members.refresh_token ?? parameters.refresh_token ?? null };
}
