"""RudderStack's library for Python."""

from rudderstack import analytics
from told import HOST, KEY, calls, failed

analytics.write_key = KEY
analytics.dataPlaneUrl = HOST
analytics.on_error = failed

for name, arguments in calls():
    getattr(analytics, name)(**arguments)
analytics.shutdown()
