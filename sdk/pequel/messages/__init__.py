"""From the arguments of a call to one JSON object in bytes: fields, ids, times, values.

Code here has no queue, network or settings, and imports no other folder.
"""
