"""Uplink: tells the host computer what a scan finds, and shows it the scan's picture."""
