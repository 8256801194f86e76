"""Why a parcel is refused."""


class Refused(ValueError):  # noqa: N818 - an answer to the rig
    """A parcel that never will be kept; the message says why."""


NO_SUCH_SCAN = "this host knows no such scan: send its folder with darkscan send"
ANOTHERS_SCAN = "the scan is another rig's"
ENDED_OTHERWISE = "the scan has ended already, and otherwise"
BEGAN_OTHERWISE = "the scan has begun already, and otherwise"
HAS_A_MAP = "the scan has another map already"
NO_PICTURE = "the scan said that it has no picture"
TILES_REMOVED = "the scan's tiles were removed by this host's rule"
OUR_FAULT = "this host cannot read it: see its log"
