#!/bin/sh
# Started through a shell, with the port in the environment: another common shape.
exec python3 -m jobs
