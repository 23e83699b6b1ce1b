"""Guests, their hypervisor and a controller's session, for tools/demo and the VM tests.

Everything here runs inside the development root (tools/shell), in whose namespaces it may start
daemons and mount what it likes: all of it ends with the command. Python's standard library only.
"""
