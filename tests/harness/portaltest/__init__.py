"""Integration tests of Portal: real compositors, real guests, real clients, compared pictures.

Nothing here sleeps. Every wait is for an event (a line, an exit, a byte in a fifo) and has one
generous deadline, which only a hang reaches. Python's standard library is all it needs.
"""
