"""Ordinary images as scans: PNG, TIFF, JPEG and FITS, alone or as tiles of one mosaic."""

from darkscan.drivers.images._channels import Channels
from darkscan.drivers.images._levels import Picture
from darkscan.drivers.images._mosaic import Mosaic
from darkscan.drivers.images._picture import read_channels, read_picture
from darkscan.drivers.images._scan import ImageScan

__all__ = ["Channels", "ImageScan", "Mosaic", "Picture", "read_channels", "read_picture"]
