"""From the arguments of a call to one JSON object in bytes: fields, ids, times, values.

Has no queue, no network and no settings, and imports no other folder.
"""
