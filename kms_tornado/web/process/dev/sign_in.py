"""The pages of the issuer of --dev at which a person signs in: for authorization, and for a device."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlencode

from . import pages as dev_pages
from .grants import format_user_code
from .handler import IssuerHandler
from .requests import (
    OAuthError,
    Parameters,
    ReturnAddress,
    parse_return_address,
    parse_sign_in_request,
)


class PageHandler(IssuerHandler):
    def show(self, page: str, *, status: int = 200, redirect_uri: str = "") -> None:
        for name, value in dev_pages.page_headers(redirect_uri).items():
            self.set_header(name, value)
        self.set_status(status)
        self.write(page)

    def show_refusal(self, message: str) -> None:
        self.show(dev_pages.render_message("This does not work", message), status=400)

    def chosen_user(self, parameters: Parameters) -> str:
        """The user on the button that was pressed, "" for a refusal. Raises OAuthError for anybody else."""
        user = parameters.require("user")
        if user not in (*self.sign_in.users, "refuse"):
            raise OAuthError("invalid_request", "there is no such user")
        return "" if user == "refuse" else user


class AuthorizeHandler(PageHandler):
    """The authorization endpoint: GET shows who may sign in, POST is for the page's own form."""

    def get(self) -> None:
        try:
            parameters = Parameters(self.request.query_arguments)
            back = parse_return_address(parameters)
        except OAuthError as exc:
            self.show_refusal(f"{exc}.")
            return
        try:
            request = parse_sign_in_request(parameters, back)
        except OAuthError as exc:
            self._return(back, {"error": exc.error, "error_description": str(exc)})
            return
        ticket = self.sign_in.tickets.add(request, time.monotonic())
        page = dev_pages.render_sign_in(
            back.client_id, self.sign_in.users, request.login_hint, ticket
        )
        self.show(page, redirect_uri=back.redirect_uri)

    def post(self) -> None:
        now = time.monotonic()
        try:
            parameters = Parameters(self.request.body_arguments)
            request = self.sign_in.tickets.take(parameters.require("ticket"), now)
            if request is None:
                raise OAuthError("invalid_request", "this page is too old: start again")
            user = self.chosen_user(parameters)
        except OAuthError as exc:
            self.show_refusal(f"{exc}.")
            return
        if user:
            self._return(request.back, {"code": self.sign_in.grants.issue_code(request, user, now)})
        else:
            refusal = {"error": "access_denied", "error_description": "the sign-in was refused"}
            self._return(request.back, refusal)

    def _return(self, back: ReturnAddress, answer: Mapping[str, str]) -> None:
        """Send the browser back. iss: tells a client of several issuers whose answer it is (RFC 9207)."""
        state = {"state": back.state} if back.state else {}
        query = urlencode({**answer, **state, "iss": self.sign_in.uri})
        separator = "&" if "?" in back.redirect_uri else "?"
        self.redirect(f"{back.redirect_uri}{separator}{query}", status=303)


class DeviceHandler(PageHandler):
    """The page where the code of a device is typed, and the user for it is chosen (RFC 8628 §3.3)."""

    def get(self) -> None:
        now = time.monotonic()
        try:
            user_code = Parameters(self.request.query_arguments).get("user_code")
        except OAuthError as exc:
            self.show_refusal(f"{exc}.")
            return
        device = self.sign_in.grants.find_device(user_code, now)
        if device is not None:
            ticket = self.sign_in.device_tickets.add(device.user_code, now)
            self.show(
                dev_pages.render_device(
                    device.client_id,
                    format_user_code(device.user_code),
                    self.sign_in.users,
                    ticket,
                )
            )
        elif user_code:
            message = "No program waits with this code: is it mistyped, or too old?"
            self.show(dev_pages.render_user_code_form(message), status=400)
        else:
            self.show(dev_pages.render_user_code_form())

    def post(self) -> None:
        now = time.monotonic()
        try:
            parameters = Parameters(self.request.body_arguments)
            user_code = self.sign_in.device_tickets.take(parameters.require("ticket"), now)
            user = self.chosen_user(parameters)
            if user_code is None or not self.sign_in.grants.decide_device(user_code, user, now):
                raise OAuthError("invalid_request", "this page is too old: start again")
        except OAuthError as exc:
            self.show_refusal(f"{exc}.")
            return
        message = f"The program acts for {user} now." if user else "The program was refused."
        self.show(dev_pages.render_message("Done", f"{message} You may close this page."))
