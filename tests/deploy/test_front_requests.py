"""What nginx tells the shop of a request, what it does itself, and what it keeps from outside."""

import json
import os
import re
import socket
import subprocess
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from deploy.local import packages
from tests.deploy.conftest import Shop
from tests.deploy.front import NAME, Front, render, substitutions
from tests.deploy.relay import Relay

SECURITY = [
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may try ports 80 and 443")
@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_nginx_takes_the_file_with_the_ports_of_the_world(
    certificate: Path, tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir()
    file = tmp_path / "nginx.conf"
    places = substitutions(tmp_path, certificate=certificate, shop_port=8000, user="root")
    file.write_text(render(places))
    program = packages.find("nginx")
    assert program
    tried = subprocess.run([program, "-t", "-c", file], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    warnings = [line for line in tried.stderr.splitlines() if "[" in line]
    # nginx since 1.25.1 knows a newer word for `listen ... http2`; the older word serves both.
    assert [line for line in warnings if '"listen ... http2" directive' not in line] == []


def test_plain_http_is_sent_to_https_and_certificates_can_be_renewed(front: Front) -> None:
    def ask(method: str, path: str) -> tuple[int, str | None, bytes]:
        with closing(HTTPConnection("127.0.0.1", front.plain_port, timeout=60)) as http:
            http.request(method, path, headers={"Host": NAME})
            answer = http.getresponse()
            return answer.status, answer.headers["Location"], answer.read()

    status, location, _ = ask("POST", "/api/v1/orders?a=%E8%8C%B6")
    assert (status, location) == (308, f"https://{NAME}/api/v1/orders?a=%E8%8C%B6")
    challenge = front.folder / "acme" / ".well-known" / "acme-challenge" / "token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof")
    assert ask("GET", "/.well-known/acme-challenge/token") == (200, None, b"proof")


def test_the_shop_hears_who_asks_and_how_from_nginx_alone(front: Front, relay: Relay) -> None:
    invented = {
        "X-Forwarded-For": "198.51.100.7, 203.0.113.9",
        "X_Forwarded_For": "198.51.100.8",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Real-IP": "198.51.100.9",
        "Forwarded": "for=198.51.100.10",
        "Via": "1.1 evil",
        "Connection": "close",
        "Accept-Encoding": "gzip",
    }
    assert front.ask("GET", "/livez", headers=invented).status == 200
    told = relay.requests[0].headers
    assert told["x-forwarded-for"] == ["127.0.0.1"]
    assert told["x-forwarded-proto"] == ["https"]
    assert told["host"] == [NAME]
    absent = {"x_forwarded_for", "x-forwarded-host", "x-forwarded-port", "x-real-ip"}
    absent |= {"forwarded", "via", "connection", "accept-encoding"}
    assert absent & set(told) == set()


def test_a_request_has_one_id_from_end_to_end(front: Front, relay: Relay) -> None:
    def told(sent: str) -> str:
        answer = front.get(f"/livez?{len(relay.paths)}", x_request_id=sent)
        (request,) = [r for r in relay.requests if r.path == f"/livez?{len(relay.paths) - 1}"]
        assert answer.headers.get_all("X-Request-ID") == request.headers["x-request-id"]
        return request.headers["x-request-id"][0]

    for good in ("Order-42.a_b", "x" * 64):
        assert told(good) == good
    for bad in ("x" * 65, "a b", '"', ""):
        assert re.fullmatch("[0-9a-f]{32}", told(bad))


def test_connections_to_the_shop_are_used_again(front: Front, relay: Relay) -> None:
    for _ in range(40):
        assert front.get("/livez").status == 200
    assert len(relay.paths) == 40
    # Each of nginx's workers keeps its own.
    assert len(relay.received) <= (os.cpu_count() or 1)


def test_what_is_for_those_inside_is_not_there_from_outside(
    front: Front, relay: Relay, shop: Shop
) -> None:
    assert shop.ask("GET", "/metrics") == 200
    # It says 503 when a check takes more than two seconds, as it may on a slow machine.
    assert front.wait_for(lambda: shop.ask("GET", "/readyz") == 200)
    for path in [
        *("/metrics", "/metrics/", "//metrics", "/./metrics", "/api/../metrics", "/%6detrics"),
        *("/metrics?x=1", "/metrics%2f", "/metrics%3f", "/readyz", "/%72eadyz", "///readyz"),
    ]:
        assert front.ask("GET", path, headers={"Authorization": "Bearer x"}).status == 404, path
    assert front.get("/api/..%2fmetrics").status == 404
    assert relay.paths == []


def test_files_are_served_and_nothing_beside_them(front: Front) -> None:
    var = front.folder / "var"
    (var / "secret-key").write_text("secret")
    (var / "static" / "admin.0123456789ab.css").write_text("a{}")
    (var / "static" / "plain.css").write_text("a{}")
    (var / "media" / "tea.png").write_bytes(b"\x89PNG")
    (var / "media" / "page.xhtml").write_text("<script>alert(1)</script>")

    hashed = front.get("/static/admin.0123456789ab.css")
    assert (hashed.status, hashed.body) == (200, b"a{}")
    assert hashed.headers["Content-Type"] == "text/css"
    assert hashed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert front.get("/static/plain.css").headers["Cache-Control"] == "public, max-age=60"
    picture = front.get("/media/tea.png")
    assert (picture.body, picture.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    page = front.get("/media/page.xhtml")
    assert page.headers["Content-Type"] == "application/octet-stream"
    for answer in (hashed, picture, page):
        assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    for way in ("/static/../secret-key", "/media/..%2fsecret-key", "/media%2f../secret-key"):
        answer = front.get(way)
        assert (answer.status, b"secret" in answer.body) == (404, False), way
    assert front.get("/static/").status == 403


def test_security_headers_are_djangos_and_there_once(front: Front) -> None:
    for path in ("/livez", "/api/v1/goods", "/admin/login/"):
        headers = front.get(path).headers
        assert {name: len(headers.get_all(name) or []) for name in SECURITY} == dict.fromkeys(
            SECURITY, 1
        ), path
        assert headers["Server"] == "nginx"


def test_a_line_of_the_log_is_json_with_the_requests_id(front: Front) -> None:
    front.get("/livez?a=%22", x_request_id="find-me", user_agent='"\\')
    log = front.folder / "log" / "access.log"
    assert front.wait_for(lambda: b"find-me" in log.read_bytes())  # written once a second
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (line,) = [line for line in lines if line["request_id"] == "find-me"]
    assert (line["uri"], line["status"], line["client"]) == ("/livez?a=%22", 200, "127.0.0.1")
    assert line["agent"] == '"\\'


def test_the_storefront_passes_with_the_shop_s_policy_and_no_other(front: Front) -> None:
    answer = front.get("/")

    assert (answer.status, b"storefront/main" in answer.body) == (200, True)
    [policy] = answer.headers.get_all("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert answer.headers.get_all("Referrer-Policy") == ["no-referrer"]
