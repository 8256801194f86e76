"""What links the processes, and the arithmetic that all of them share.

The bottom room: it imports no other room of darkscan.
"""
