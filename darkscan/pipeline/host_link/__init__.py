"""The rig's side of the link to the host computer, and the messages that both sides speak."""
