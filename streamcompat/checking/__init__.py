"""Reads a project without running it: which names of the originals and of old Pythons it uses, and whether
they are here.

The rule: nothing of the project is imported. What cannot be told from the source is not claimed.
"""
