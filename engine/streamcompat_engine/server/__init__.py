"""Listening, stopping, and several processes on one address."""
