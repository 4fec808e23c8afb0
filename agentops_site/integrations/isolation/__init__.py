"""Runs a command that may misbehave, at the best isolation level that this machine offers.

`levels.best_level()` finds the level by trying, `process.launch()` starts a command in it. `warden.py`, `confine.py`,
`landlock.py` and `seccomp.py` also run inside the box, where nothing but this folder and the standard library is
mounted: they import nothing else. This file stays free of imports for the same reason.
"""
