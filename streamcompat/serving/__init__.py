"""From an application to a server that runs: options, life, targets, the test client."""
