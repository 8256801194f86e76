"""What touches the rig, or stands in for it: recordings, images, the simulated element."""
