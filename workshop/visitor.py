"""A learner's browser, simulated: log in, start a server, open a kernel, run cells.

For the load test and for the tests. It goes in by the front door: the hub's pages and forms, then
the server's own interface and websocket, with the cookies that a browser would have.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import requests
import websocket

PATIENCE = 600.0  # seconds that anything may take, unless told otherwise


class Refused(Exception):
    """The hub said no: a wrong token, or no place. `page` is what it showed."""

    def __init__(self, status: int, page: str):
        text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
        self.status, self.page = status, " ".join(text.split())
        super().__init__(f"{status}: {self.page[:500]}")


@dataclass
class Ran:
    """What came of a cell: its text output, its error, and the seconds until it had ended."""

    text: str = ""
    error: str = ""
    pictures: int = 0
    seconds: float = 0.0


@dataclass
class Visitor:
    """One learner.

    Args:
        address: of the hub, http://127.0.0.1:8000.
        name, token: as on the sheet.
    """

    address: str
    name: str
    token: str
    session: requests.Session = field(default_factory=requests.Session)
    socket: websocket.WebSocket | None = None
    kernel: str = ""
    patience: float = PATIENCE

    # The hub's pages

    def get(self, place: str, **more) -> requests.Response:
        """A page of the hub's."""
        return self.session.get(f"{self.address}{place}", timeout=self.patience, **more)

    def log_in(self) -> requests.Response:
        """Through the form. Returns the page that follows.

        Raises:
            Refused: this isn't the token.
        """
        form = {"username": self.name, "password": self.token}
        self.get("/hub/login")
        form["_xsrf"] = self.xsrf("/hub/")
        page = self.session.post(
            f"{self.address}/hub/login?next=%2Fhub%2Fhome", data=form, timeout=self.patience
        )
        if not page.ok:
            raise Refused(page.status_code, page.text)
        return page

    def xsrf(self, path: str) -> str:
        """The cookie that shows that a request comes from a page of this server."""
        found = {c.path: c.value for c in self.session.cookies if c.name == "_xsrf"}
        return found.get(path, "")

    def start_server(self, again: bool = True) -> int:
        """Ask for a server, and wait until it is there, as the hub's pages do.

        Args:
            again: keep asking if only too many are starting at this moment; the page does so.

        Returns:
            How often the hub said "later".

        Raises:
            Refused: there is no place, or the server didn't start.
        """
        end, later = time.monotonic() + self.patience, 0
        while True:
            page = self.get(f"/hub/spawn/{self.name}")
            if page.ok:
                break
            if not again or "being prepared" not in page.text or time.monotonic() > end:
                raise Refused(page.status_code, page.text)
            later += 1
            time.sleep(10)  # as the page says and does
        while "spawn-pending" in page.url and time.monotonic() < end:
            time.sleep(0.5)
            # one that was just being stopped isn't running any more: the page has a button then
            place = "spawn" if "is not running" in page.text else "spawn-pending"
            page = self.get(f"/hub/{place}/{self.name}")
            if not page.ok:
                raise Refused(page.status_code, page.text)
        page = self.get(f"/user/{self.name}/lab")  # through the hub's door, for the cookies
        if not page.ok or "/user/" not in page.url:
            raise Refused(page.status_code, page.text)
        return later

    def stop_server(self) -> None:
        """The button on the hub's page."""
        self.hub_api("DELETE", f"users/{self.name}/server")

    def hub_api(self, how: str, place: str) -> requests.Response:
        """The hub's own interface, as its pages use it."""
        self.get("/hub/home")
        return self.session.request(
            how,
            f"{self.address}/hub/api/{place}",
            headers={"X-XSRFToken": self.xsrf("/hub/"), "Referer": f"{self.address}/hub/home"},
            timeout=self.patience,
        )

    # The learner's own server

    def server(self, how: str, place: str, owner: str = "", **more) -> requests.Response:
        """A request to a server, by default to one's own."""
        base = f"/user/{owner or self.name}/"
        return self.session.request(
            how,
            f"{self.address}{base}{place}",
            headers={"X-XSRFToken": self.xsrf(base), "Referer": f"{self.address}{base}lab"},
            timeout=self.patience,
            **more,
        )

    def open_kernel(self, folder: str = "notebooks") -> None:
        """A kernel in a folder of the course, and the websocket to it."""
        made = self.server("POST", "api/kernels", json={"path": folder})
        made.raise_for_status()
        self.kernel = made.json()["id"]
        place = (
            f"/user/{self.name}/api/kernels/{self.kernel}/channels?session_id={uuid.uuid4().hex}"
        )
        jar = requests.utils.dict_from_cookiejar(self.session.cookies)
        scoped = {c.name: c.value for c in self.session.cookies if place.startswith(c.path)}
        cookies = "; ".join(f"{k}={v}" for k, v in {**jar, **scoped}.items())
        self.socket = websocket.create_connection(
            self.address.replace("http", "ws", 1) + place,
            cookie=cookies,
            origin=self.address,
            timeout=self.patience,
        )

    def listen(self, done: Callable[[], bool]) -> None:
        """Do nothing until it is done, but answer the server, as an open page does: a server takes
        one that is silent for two minutes for gone."""
        self.socket.settimeout(0.5)
        while not done():
            with suppress(websocket.WebSocketTimeoutException):
                if not self.socket.recv():
                    raise ConnectionError("the server closed the connection")
        self.socket.settimeout(self.patience)

    def run(self, code: str) -> Ran:
        """Run a cell; all it prints, shows and updates has arrived when this returns."""
        own = uuid.uuid4().hex
        header = {"msg_id": own, "msg_type": "execute_request", "version": "5.3"}
        header |= {"username": self.name, "session": own, "date": ""}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        ran, start = Ran(), time.perf_counter()
        self.socket.send(json.dumps({**message, "channel": "shell", "buffers": []}))
        idle = replied = False
        while not (idle and replied):
            received = self.socket.recv()
            if isinstance(received, bytes):  # a widget's buffers; the cell's end is always text
                continue
            received = json.loads(received)
            if received["content"].get("execution_state") in ("restarting", "dead"):
                ran.error = "the kernel died"
                break
            if received.get("parent_header", {}).get("msg_id") != own:
                continue
            kind, said = received["header"]["msg_type"], received["content"]
            replied = replied or kind == "execute_reply"
            idle = idle or (kind == "status" and said["execution_state"] == "idle")
            if kind == "stream":
                ran.text += said["text"]
            elif kind in ("display_data", "execute_result"):
                ran.pictures += "image/png" in said["data"]
                ran.text += said["data"].get("text/plain", "")
            elif kind == "comm_msg":  # a widget's new state: the explorer's picture is HTML
                ran.pictures += "<img" in json.dumps(said)
            elif kind == "error":
                ran.error = "\n".join([said["ename"], said["evalue"]])
        ran.seconds = time.perf_counter() - start
        return ran

    def close(self) -> None:
        """Leave the page, as if the browser were closed."""
        if self.socket:
            self.socket.close()
        self.session.close()
