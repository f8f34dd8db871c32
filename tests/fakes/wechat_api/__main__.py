"""`python -m tests.fakes.wechat_api [--port 8009] [--app APPID=SECRET ...]`, until stopped."""

import argparse
import signal
import threading

from tests.fakes.wechat_api.server import WechatApi

PORT = 8009
# Public, as everything here.
DEMO = "wx0000000000000001=not-a-secret"


def main() -> None:
    parser = argparse.ArgumentParser(prog="wechat_api", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--app", action="append", metavar="APPID=SECRET")
    asked = parser.parse_args()
    apps = asked.app or [DEMO]
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with WechatApi(dict(app.split("=", 1) for app in apps), port=asked.port) as api:
        print(f"WECHAT_API_URL={api.url} WECHAT_APPS={','.join(apps)}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
