"""Checks a ported project by another road than the edit: from the new text alone, by name, with `ast`.

The rule: what cannot be explained counts as wrong. A channel must be seen from `stream(...)` to each `send`,
a body from its handler's app to each read, a class from where it is raised to where it is caught. What this
finds takes back every app that it may belong to; it never decides that more is ported.
"""
