"""Protocol tests of one's own server: rules of RFC 9110 and 9112 as checks, each with a grammar that shrinks,
a state machine of a client, and a comparison of two servers that finds what they read differently.
"""

from streamcompat.testing.protocol.machine import ProtocolMachine
from streamcompat.testing.protocol.rules import RULES, Rule
from streamcompat.testing.protocol.search import Finding, check_server

__all__ = ["RULES", "Finding", "ProtocolMachine", "Rule", "check_server"]
