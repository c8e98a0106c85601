"""Hypercorn's settings. Its default of 1,000 requests per connection would measure reconnecting too."""

backlog = 2048
keep_alive_max_requests = 1_000_000_000
loglevel = "WARNING"
worker_class = "uvloop"
