"""`python -m tests.fakes.wechat_pay --keys FOLDER [--port 8010] [--app APPID ...]`, until stopped.

Writes the shop's part of the keys into FOLDER, with the settings by which a shop asks this server,
calls that shop by itself, and has a page on which whoever looks plays the shopper.
"""

import argparse
import signal
import threading
from pathlib import Path

from tests.fakes.wechat_pay.keys import make_keys
from tests.fakes.wechat_pay.server import MCHID, WechatPay

PORT = 8010
# Public, as everything here.
DEMO = "wx0000000000000001"


def main() -> None:
    parser = argparse.ArgumentParser(prog="wechat_pay", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--app", action="append", metavar="APPID")
    asked = parser.parse_args()
    mine = make_keys()
    settings = mine.write(asked.keys)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    settings |= {
        "WECHAT_PAY_MCHID": MCHID,
        "WECHAT_PAY_API_URL": f"http://127.0.0.1:{asked.port}",
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    # Before anybody can be answered: whoever waits for the port finds it.
    (asked.keys / "settings.env").write_text(text)
    with WechatPay(asked.app or [DEMO], port=asked.port, mine=mine, calls_back=True) as pay:
        print(f"page: {pay.url}/", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
