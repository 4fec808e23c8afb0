"""The healing pipeline: one module a step, in the order in which an incident passes them.

    probe    monitoring/operations.py   ask every due service how it is, write a HealthChange
    detect   detect.py                  open or join an incident for it; recovery.py ends one that is over without us
    collect  collect.py                 gather the evidence
    diagnose diagnose.py                find the cause
    propose  propose.py                 write candidate fixes as typed actions
    trial    trial.py                   prove them in a sandbox, choose one
    review   review.py                  is it safe
    decide   decide.py                  alone, with a person, or not at all; what people decide enters in approvals.py
    deploy   deploy.py                  permitted still (permission.py)? Then keep the old bytes, write, restart
    verify   verify.py                  healthy again, or undo
    report   report.py                  what happened, told to those who need to know
    learn    learn.py                   what this says about the next one

`runner.py` alone knows the order. Every step ends with one transaction that writes its row and moves the incident on, so
that a process killed at any point is continued by the next one.
"""

from __future__ import annotations
