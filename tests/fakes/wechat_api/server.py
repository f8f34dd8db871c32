"""The server: a thread for each connection, state behind one lock, everything it was asked kept."""

import json
import re
import ssl
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.wechat_api.faults import BY_NAME, Answer, Fault, errcode, send
from tests.fakes.wechat_api.people import openid_of, phone_of, unionid_of

LOGIN = "/sns/jscode2session"
TOKEN = "/cgi-bin/stable_token"
PHONE = "/wxa/business/getuserphonenumber"
SEND = "/cgi-bin/message/subscribe/send"

CODE = re.compile(r"([^.]+)\.[^.]+")
NUMBER = re.compile(r"-?[0-9]{1,9}")
# Seconds that a token is good, that it is renewed before its end, and that the old one outlives it.
LIFE, EARLY = 7200, 300
# Characters of a keyword of that kind.
MOST_OF_A_THING = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `query` and `document` as they came."""

    endpoint: str
    query: Mapping[str, str]
    document: Mapping[str, Any]


@dataclass(slots=True)
class Tokens:
    """What one mini-program has: the newest token and when each of them ends."""

    newest: str = ""
    ends: dict[str, float] = field(default_factory=dict)


class WechatApi:
    """Answers at `url` from `start` (or entering it) until `stop`. `apps`: appid -> secret.
    `certificate`: a file with a certificate and its key, for https."""

    def __init__(
        self, apps: Mapping[str, str], *, port: int = 0, certificate: Path | None = None
    ) -> None:
        self.apps = dict(apps)
        self.calls: list[Call] = []
        # What it gave out and nobody else should ever see.
        self.given_out: set[str] = set()
        self.tells_unionid = True
        # Templates by their id: the keywords that each has; and the messages that arrived.
        self.templates: dict[str, frozenset[str]] = {}
        self.messages: list[Mapping[str, Any]] = []
        self._allowed: Counter[tuple[str, str]] = Counter()
        self._mutex = threading.Lock()
        self._serial = count(1)
        self._used: set[str] = set()
        self._tokens: defaultdict[str, Tokens] = defaultdict(Tokens)
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._stuck: set[str] = set()
        self._ahead = 0.0
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.api = self
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def connections(self) -> int:
        """How many were made to it."""
        return self._server.connections

    @property
    def sent(self) -> int:
        """Bytes of huge answers that were taken off it."""
        return self._server.sent

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def code(self, name: str) -> str:
        """A code that was not used yet, of whoever that is."""
        return f"{name}.{next(self._serial)}"

    def allow(self, openid: str, template: str, times: int = 1) -> None:
        """That person lets the mini-program send so many messages of the template."""
        self._allowed[openid, template] += times

    def will(self, endpoint: str, *faults: Fault) -> None:
        """The next requests there are answered like that, one fault each."""
        self._faults[endpoint].extend(faults)

    def forgive(self, *endpoints: str) -> None:
        """From now on requests there are answered rightly."""
        for endpoint in endpoints:
            self._faults[endpoint].clear()

    def count(self, endpoint: str) -> int:
        """How often it was asked there."""
        return sum(call.endpoint == endpoint for call in self.calls)

    def pass_time(self, seconds: float) -> None:
        """Its clock is that much further."""
        self._ahead += seconds

    def revoke(self, appid: str, *, stuck: bool = False) -> None:
        """The newest token is good no more; `stuck`: it is given out as if it were, until asked
        with force."""
        with self._mutex:
            tokens = self._tokens[appid]
            tokens.ends[tokens.newest] = 0.0
            if stuck:
                self._stuck.add(appid)

    def answer(self, call: Call) -> tuple[Answer, Fault | None]:
        """What is right, and the fault that is to be there instead."""
        with self._mutex:
            self.calls.append(call)
            fault = self._fault(call)
            if fault and not fault.is_late:
                return {}, fault
            right = {
                LOGIN: self._session,
                TOKEN: self._token,
                PHONE: self._phone,
                SEND: self._message,
            }
            return right.get(call.endpoint, _nowhere)(call), fault

    def _fault(self, call: Call) -> Fault | None:
        if self._faults[call.endpoint]:
            return self._faults[call.endpoint].popleft()
        code = call.query.get("js_code") or str(call.document.get("code", ""))
        if not (found := CODE.fullmatch(code)):
            return None
        is_number = NUMBER.fullmatch(found[1])
        return errcode(int(found[1])) if is_number else BY_NAME.get(found[1])

    def _session(self, call: Call) -> Answer:
        appid, secret = call.query.get("appid", ""), call.query.get("secret", "")
        if wrong := self._wrong(appid, secret):
            return wrong
        if call.query.get("grant_type") != "authorization_code":
            return {"errcode": 40002, "errmsg": "invalid grant_type"}
        name, wrong = self._use(appid, call.query.get("js_code", ""))
        if wrong:
            return wrong
        session_key = self._give_out(f"SESSION-KEY-{next(self._serial)}==")
        found = {"session_key": session_key, "openid": openid_of(appid, name)}
        return found | ({"unionid": unionid_of(name)} if self.tells_unionid else {})

    def _token(self, call: Call) -> Answer:
        document = call.document
        appid = document.get("appid", "")
        if wrong := self._wrong(appid, document.get("secret", "")):
            return wrong
        if document.get("grant_type") != "client_credential":
            return {"errcode": 40002, "errmsg": "invalid grant_type"}
        tokens, now = self._tokens[appid], time.time() + self._ahead
        forced = document.get("force_refresh") is True
        left = tokens.ends.get(tokens.newest, 0.0) - now
        if appid in self._stuck and not forced:
            return {"access_token": tokens.newest, "expires_in": LIFE}
        if forced or left <= EARLY:
            self._stuck.discard(appid)
            if tokens.newest:
                tokens.ends[tokens.newest] = 0.0 if forced else min(left, EARLY) + now
            tokens.newest = self._give_out(f"ACCESS-TOKEN-{next(self._serial)}-{appid}")
            tokens.ends[tokens.newest] = now + LIFE
        left = tokens.ends[tokens.newest] - now
        return {"access_token": tokens.newest, "expires_in": int(left)}

    def _phone(self, call: Call) -> Answer:
        appid, wrong = self._holder(call)
        if wrong:
            return wrong
        name, wrong = self._use(appid, str(call.document.get("code", "")))
        if wrong:
            return wrong
        phone = phone_of(name)
        self.given_out.add(phone)
        return {
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": phone,
                "purePhoneNumber": phone,
                "countryCode": "86",
                "watermark": {"timestamp": int(time.time() + self._ahead), "appid": appid},
            },
        }

    def _message(self, call: Call) -> Answer:
        _appid, wrong = self._holder(call)
        if wrong:
            return wrong
        message = call.document
        openid, template = message["touser"], message["template_id"]
        if template not in self.templates:
            return {"errcode": 40037, "errmsg": "invalid template_id"}
        for keyword in sorted(self.templates[template]):
            text = message["data"].get(keyword, {}).get("value", "")
            if not text or (keyword.startswith("thing") and len(text) > MOST_OF_A_THING):
                told = f"argument invalid! data.{keyword}.value of {openid}"
                return {"errcode": 47003, "errmsg": told}
        if not self._allowed[openid, template]:
            return {"errcode": 43101, "errmsg": f"user {openid} refuses to accept the msg"}
        self._allowed[openid, template] -= 1
        self.messages.append(message)
        return {"errcode": 0, "errmsg": "ok", "msgid": len(self.messages)}

    def _holder(self, call: Call) -> tuple[str, Answer | None]:
        """Whose access token is shown."""
        token, now = call.query.get("access_token", ""), time.time() + self._ahead
        holders = [appid for appid, tokens in self._tokens.items() if token in tokens.ends]
        if not holders:
            return "", {"errcode": 40001, "errmsg": "invalid credential"}
        [appid] = holders
        ends = self._tokens[appid].ends[token]
        if ends <= now:
            return "", {"errcode": 42001 if ends else 40001, "errmsg": "access_token expired"}
        return appid, None

    def _wrong(self, appid: str, secret: str) -> Answer | None:
        if appid not in self.apps:
            return {"errcode": 40013, "errmsg": f"invalid appid {appid}"}
        if secret != self.apps[appid]:
            return {"errcode": 40125, "errmsg": f"invalid appsecret {secret}"}
        return None

    def _use(self, appid: str, code: str) -> tuple[str, Answer | None]:
        found = CODE.fullmatch(code)
        if not found:
            return "", {"errcode": 40029, "errmsg": f"invalid code {code}"}
        if code in self._used:
            return "", {"errcode": 40163, "errmsg": f"code been used {code}"}
        self._used.add(code)
        return found[1], None

    def _give_out(self, secret: str) -> str:
        self.given_out.add(secret)
        return secret


def _nowhere(_call: Call) -> Answer:
    return {"errcode": 40066, "errmsg": "invalid url"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    api: WechatApi

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.over = threading.Event()
        self.connections = 0
        self.sent = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up on a fault is what the fault is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(json.loads(self.rfile.read(length) or b"{}"))

    def _answer(self, document: Mapping[str, Any]) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        right, fault = self.server.api.answer(Call(parts.path, query, document))
        if fault:
            fault.play(self, right)
            return
        # So it is: JSON, said to be text.
        kind = "text/plain" if parts.path == LOGIN else "application/json; encoding=utf-8"
        send(self, json.dumps(right).encode(), content_type=kind)

    def log_message(self, *_arguments: Any) -> None:
        pass
