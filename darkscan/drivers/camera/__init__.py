"""Cameras of any maker, through their GenTL producers and harvesters.

``camera.Camera`` drives one; it loads harvesters and genicam, so only the process that
owns the camera imports it. ``lines``, ``unpacking`` and ``errors`` need numpy at most.
"""
