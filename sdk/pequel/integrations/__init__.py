"""Frameworks: each module sets the scope of a request or a task, and needs none of the others."""
