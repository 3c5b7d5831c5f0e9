"""Cameras that are added at run time: kept here, run by producers, each on exactly one of them."""
