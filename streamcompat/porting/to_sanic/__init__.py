"""The rules of `streamcompat port --to sanic`: from Sanic 0.5 to 21.x to today's Sanic.

The rule: the files that imports connect are ported as a whole or left as a whole. Today's Sanic serves no
half-ported app, so a construct that is neither edited nor known to work as before keeps them all.
"""
