"""The motion unit: EPICS motor records and a position-compare output, by Channel Access.

``history`` needs no client library; the other modules do, so import them where axes are moved.
"""
