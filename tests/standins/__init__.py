"""Programs that answer as services of others are documented to, for the tests and the guides."""
