"""Tests of ``cirrus_ext``: ranges, retries, errors, histories."""
