"""A protected Tornado application from nothing: ISSUER=https://… AUDIENCE=… python new_application.py"""

import asyncio
import os

from tornado.web import Application

from kms_tornado import BearerAuth, BearerRequestHandler

auth = BearerAuth.from_issuer(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])


class Hello(BearerRequestHandler):
    def get(self):
        self.write(f"hello {self.current_user.name}\n")


async def main():
    async with auth:
        Application([("/", Hello)], bearer_auth=auth).listen(
            int(os.environ.get("PORT", "8888")), "127.0.0.1"
        )
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
