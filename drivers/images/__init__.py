"""Ordinary images as scans: PNG, TIFF, JPEG and FITS, alone or as tiles of one mosaic."""

from darkscan.drivers.images.channels import Channels
from darkscan.drivers.images.levels import Picture
from darkscan.drivers.images.mosaic import Mosaic
from darkscan.drivers.images.picture import read_channels, read_picture
from darkscan.drivers.images.scan import ImageScan

__all__ = ["Channels", "ImageScan", "Mosaic", "Picture", "read_channels", "read_picture"]
