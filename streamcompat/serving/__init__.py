"""Serving an application: options, settings, lifespan, sites, targets and the test client."""
