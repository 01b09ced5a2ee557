"""What the tests share: a PostgreSQL server, collector processes, recorded event logs."""
