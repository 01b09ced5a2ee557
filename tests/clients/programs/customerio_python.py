"""Customer.io's library for Python."""

from customerio import analytics
from told import HOST, KEY, calls, failed

analytics.write_key = KEY
analytics.host = HOST
analytics.on_error = failed

for name, arguments in calls():
    getattr(analytics, name)(**arguments)
analytics.shutdown()
