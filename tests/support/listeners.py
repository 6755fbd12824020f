"""A mail server and a web server that keep what they are sent, in threads of the test."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Mail:
    """A mail as the server took it: its envelope and its content."""

    sender: str
    recipients: list[str]
    content: EmailMessage


class _Smtp(socketserver.StreamRequestHandler):
    """The part of RFC 5321 that clients need."""

    server: MailServer

    def handle(self) -> None:
        self._say("220 ready")
        sender, recipients = "", list[str]()
        for line in self.rfile:
            verb, _, rest = line.decode().strip().partition(" ")
            address = rest.partition("<")[2].partition(">")[0]
            match verb.upper():
                case "EHLO" | "HELO":
                    self._say("250 hello")
                case "MAIL":
                    sender, recipients = address, []
                    self._say("250 ok")
                case "RCPT" if address in self.server.refused:
                    self._say("550 no such mailbox")
                case "RCPT":
                    recipients.append(address)
                    self._say("250 ok")
                case "DATA":
                    self._say("354 go on")
                    self.server.mails.append(Mail(sender, recipients, self._content()))
                    if self.server.breaks:
                        return
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _content(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        content = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(content, EmailMessage)
        return content


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server at a free port.

    Attributes:
        mails: those it has taken.
        refused: mailboxes that it does not have.
        breaks: close the connection after a mail was taken, without saying so.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.mails: list[Mail] = []
        self.refused: set[str] = set()
        self.breaks = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@dataclass
class Posted:
    """What was posted."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebServer:
    """A web server that takes POST and answers what it is told to.

    Attributes:
        posted: what it was sent.
        answer: status and text.
        first: answers before it.
    """

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answer: tuple[int, str] = (200, "ok")
    first: list[tuple[int, str]] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server."""
    with MailServer() as server, _in_thread(server):
        yield server


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Run a web server."""
    found = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posted.append(Posted(self.path, dict(self.headers), body))
            status, text = found.first.pop(0) if found.first else found.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, _in_thread(server):
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found


@contextmanager
def _in_thread(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
