"""The tests of dicomtls, one file for each module."""
