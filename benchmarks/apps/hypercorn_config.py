"""Hypercorn's settings: its default of 1,000 requests on a connection would measure reconnecting."""

backlog = 2048
keep_alive_max_requests = 1_000_000_000
loglevel = "WARNING"
worker_class = "uvloop"
