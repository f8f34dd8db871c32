"""The WSGI entry point: `granian --interface wsgi shop.wsgi:application`."""

import gc
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.embedded")
django.setup()

from lottery.front import EntryDoor  # noqa: E402  # needs the settings
from lottery.packets.front import GrabDoor  # noqa: E402  # likewise
from orders.front import SaleDoor  # noqa: E402
from shop.api.front import Front  # noqa: E402
from shop.api.wsgi import Handler  # noqa: E402

application = Front(Handler(), [SaleDoor(), EntryDoor(), GrabDoor()])

# A thread whose answer from the database has come gets the interpreter back after 1 ms, not 5: a
# request goes there and back a dozen times, beside others that compute.
sys.setswitchinterval(0.001)

# What is loaded by now stays: the collector need not walk it again and again while requests run.
gc.collect()
gc.freeze()
