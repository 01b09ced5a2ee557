"""HTTP. Handlers read a request, call one function and answer; what they answer is decided below.

``app`` makes the application, ``ingest`` takes events in, ``query`` answers questions.
"""
