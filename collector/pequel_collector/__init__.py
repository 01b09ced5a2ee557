"""The Pequel collector: stores product events and marks product-qualified leads."""

__version__ = "0.1.0"
