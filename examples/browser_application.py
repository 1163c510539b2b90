"""A page with a WebSocket, for people who sign in at the issuer. No script of the page ever sees a token.

The application itself asks the issuer for the token (authorization code with PKCE, RFC 7636), and keeps it in a cookie that
scripts cannot read. To try it with the issuer of `kms-tornado --dev`, whose URL that prints:

    ISSUER=http://127.0.0.1:… AUDIENCE=kms_tornado python browser_application.py

URL is where browsers find the application, DENY_FILE a list of tokens that are to be refused.
"""

import asyncio
import base64
import hashlib
import json
import os
import secrets
from urllib.parse import urlencode

import tornado.web
import tornado.websocket
from tornado.escape import xhtml_escape
from tornado.httpclient import AsyncHTTPClient

from kms_tornado import BearerAuth, BearerAuthMixin

ISSUER = os.environ["ISSUER"]
CLIENT_ID = os.environ.get("CLIENT_ID", "browser-example")
PORT = int(os.environ.get("PORT", "8888"))
URL = os.environ.get("URL", f"http://127.0.0.1:{PORT}")

auth = BearerAuth.from_issuer(
    ISSUER, audience=os.environ["AUDIENCE"], deny_file=os.environ.get("DENY_FILE")
)

# Lax: it comes with a link that leads here, and with no request that another site's page sends.
COOKIE = {"httponly": True, "samesite": "Lax", "secure": URL.startswith("https:")}

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Live</title>
<p>You are <b id="user">{user}</b>.</p>
<form id="say"><label>Say <input name="text" autocomplete="off"></label> <button disabled>Send</button></form>
<ul id="said"></ul>
<form method="post" action="/sign-out"><button>Sign out</button></form>
<script src="/page.js"></script></html>"""

SCRIPT = """
const socket = new WebSocket(`${location.origin.replace("http", "ws")}/live`);
socket.onopen = () => (document.querySelector("#say button").disabled = false);
socket.onmessage = (event) => {
  const line = document.createElement("li");
  line.textContent = event.data;
  document.querySelector("#said").append(line);
};
socket.onclose = (event) => {
  if (event.code === 4401) location.assign("/sign-in");  // the token has expired, or was denied
};
document.querySelector("#say").onsubmit = (event) => {
  event.preventDefault();
  socket.send(event.target.text.value);
  event.target.reset();
};
"""


class TokenInCookie(BearerAuthMixin):
    """What all handlers have in common that people reach who have signed in."""

    def bearer_token(self):
        return self.get_cookie("token")

    def write_refusal(self, error):
        self.write(f'<p>{error}. <a href="/sign-in">Sign in</a></p>')


class Page(TokenInCookie, tornado.web.RequestHandler):
    def set_default_headers(self):
        self.set_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")

    def get(self):
        self.write(PAGE.format(user=xhtml_escape(self.current_user.name)))


class Live(TokenInCookie, tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(f"{self.current_user.name}: {message}")


class SignOut(TokenInCookie, tornado.web.RequestHandler):
    def post(self):
        self.clear_cookie("token")
        self.redirect("/")


class Script(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/javascript")
        self.write(SCRIPT)


class SignIn(tornado.web.RequestHandler):
    async def get(self):
        state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        self.set_cookie("sign-in", f"{state}.{verifier}", max_age=600, **COOKIE)
        digest = hashlib.sha256(verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": f"{URL}/callback",
            "scope": "openid",
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        metadata = await fetch_metadata()
        self.redirect(f"{metadata['authorization_endpoint']}?{urlencode(parameters)}")


class Callback(tornado.web.RequestHandler):
    async def get(self):
        state, _, verifier = self.get_cookie("sign-in", "").partition(".")
        self.clear_cookie("sign-in")
        answered = self.get_query_argument("state", "")
        if not state or not secrets.compare_digest(state.encode(), answered.encode()):
            raise tornado.web.HTTPError(400)  # nobody here has asked for this
        code = self.get_query_argument("code", None)
        if code is None:
            self.write('<p>You have not signed in. <a href="/">Again</a></p>')
            return
        parameters = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "redirect_uri": f"{URL}/callback",
            "code": code,
            "code_verifier": verifier,
        }
        metadata = await fetch_metadata()
        answer = await AsyncHTTPClient().fetch(
            metadata["token_endpoint"], method="POST", body=urlencode(parameters)
        )
        self.set_cookie("token", json.loads(answer.body)["access_token"], **COOKIE)
        self.redirect("/")


async def fetch_metadata():
    """Where the issuer's endpoints are (OpenID Connect Discovery)."""
    url = f"{ISSUER.rstrip('/')}/.well-known/openid-configuration"
    return json.loads((await AsyncHTTPClient().fetch(url)).body)


def make_app():
    return tornado.web.Application(
        [
            ("/", Page),
            ("/page.js", Script),
            ("/live", Live),
            ("/sign-in", SignIn),
            ("/callback", Callback),
            ("/sign-out", SignOut),
        ],
        bearer_auth=auth,
    )


async def main():
    async with auth:
        make_app().listen(PORT, "127.0.0.1")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
