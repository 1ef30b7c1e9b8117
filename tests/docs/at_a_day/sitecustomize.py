"""Let a Python that is started with this folder on its path live on the day ``RUN_AT``, so that pages do not age."""

import datetime as dt
import os

import time_machine

time_machine.travel(dt.datetime.fromisoformat(os.environ["RUN_AT"]), tick=True).start()
